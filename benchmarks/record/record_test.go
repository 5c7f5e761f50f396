package record_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/benchmarks/record"
	"edgelens/internal/board"
)

var run = record.Run{
	ID: "bench-x", Started: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), Ended: time.Date(2024, 5, 1, 12, 1, 0, 0, time.UTC), Command: []string{"edgelens", "bench"},
	Rounds: 2, Board: board.Facts{Model: "Raspberry Pi 4", Cores: 4},
	Cases: []record.Case{{Suite: "http", Name: "sync, c8", Mode: record.ModeClosed, Kind: "sync", Connections: 8}},
}

var samples = []record.Sample{
	{Suite: "http", Case: "sync, c8", Run: 0, Worker: 1, Due: 1, Sent: 2, Done: 3, Status: record.Good},
	{Suite: "http", Case: "sync, c8", Run: 1, Worker: 7, Due: time.Hour, Sent: time.Hour + 1, Done: time.Hour + 2, Status: `no "answer", at all`},
}

var figures = []record.Figure{{Suite: "http", Case: "sync, c8", Run: 1, Name: record.FigureCPU, Value: 0.1}}

func write(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made", "bench-x")
	w, err := record.Create(dir, &run)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(samples[:1], figures); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(samples[1:], nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadReturnsWrittenRecords(t *testing.T) {
	got, err := record.Read(write(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := (&record.Records{Run: run, Samples: samples, Figures: figures}); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestRunIsNeverOverwritten(t *testing.T) {
	if _, err := record.Create(write(t), &run); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second run in the same folder: %v", err)
	}
}

func TestDamagedFolders(t *testing.T) {
	for name, tt := range map[string]struct {
		file   string
		damage func(string) string
		want   string // in the error; empty for none
	}{
		"cut off in the last line": {"samples.csv", func(s string) string { return s[:len(s)-5] }, ""},
		"a word for a number":      {"samples.csv", func(s string) string { return strings.Replace(s, ",7,", ",seven,", 1) }, "line 3"},
		"a field is missing":       {"figures.csv", func(s string) string { return strings.Replace(s, "cpu_seconds,", "", 1) }, "figures.csv, line 2"},
		"another header":           {"samples.csv", func(s string) string { return strings.Replace(s, "due_ns", "due_ms", 1) }, "first line"},
		"empty":                    {"samples.csv", func(string) string { return "" }, "samples.csv"},
		"no JSON":                  {"run.json", func(string) string { return "{" }, "run.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t)
			path := filepath.Join(dir, tt.file)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tt.damage(string(data))), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := record.Read(dir)
			switch {
			case tt.want == "" && (err != nil || len(got.Samples) != 1):
				t.Errorf("%v, %+v", err, got)
			case tt.want != "" && (!errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := record.Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "edgelens bench") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestInterruptedRunIsInvalid(t *testing.T) {
	interrupted := run
	interrupted.Ended = time.Time{}
	if len(run.Problems()) != 0 || len(interrupted.Problems()) != 1 {
		t.Errorf("whole: %q, interrupted: %q", run.Problems(), interrupted.Problems())
	}
}
