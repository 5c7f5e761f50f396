//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens/benchmarks/record"
	"edgelens/inference/runtimes"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/tuned"
	"edgelens/models/modeltest"
	"edgelens/models/quality"
)

// asProgram makes the test binary edgelens itself, for the processes that bench starts.
const asProgram = "EDGELENS_TEST_AS_PROGRAM"

func init() {
	if os.Getenv(asProgram) != "" {
		main()
	}
}

// benchEnvironment has a model, and a program that can be started.
func benchEnvironment(t *testing.T) (environ []string, out, image string) {
	t.Helper()
	supervisetest.FindRedis(t)
	environ = colorsEnvironment(t)
	for _, pair := range environ { // processes inherit it
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	t.Setenv(asProgram, "1")
	return environ, t.TempDir(), file(t, "red_720p.png", modeltest.Image(modeltest.Red, 64, 64))
}

// runs returns the folders of runs in out.
func runs(t *testing.T, out string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(out, "bench-*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func TestBenchStartsService(t *testing.T) {
	environ, out, image := benchEnvironment(t)
	status, stdout, stderr := runCommand(t, environ, "bench", "http", "--out", out, "--images", image, "--runs", "2", "--duration", "200ms",
		"--warm-up", "100ms", "--connections", "2", "--inference-interpreters", "1")
	if status != 0 || !strings.Contains(stdout, "sync red_720p.png c2") {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	dirs := runs(t, out)
	if len(dirs) != 1 {
		t.Fatalf("folders %q", dirs)
	}
	r, err := record.Read(dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	if r.Run.Model != "colors" || !strings.HasPrefix(r.Run.Digest, "sha256:") || !strings.Contains(r.Run.Settings, "interpreters: 1 ") ||
		r.Run.Ended.IsZero() || r.Run.Board.Cores == 0 || !slices.Contains(r.Run.Command, "--inference-interpreters=1") {
		t.Errorf("%+v", r.Run)
	}
	good := map[string]int{}
	for _, s := range r.Samples {
		if s.Run > 0 && s.Status == record.Good {
			good[s.Case]++
		}
	}
	for _, c := range r.Run.Cases {
		if c.Mode != "start" && good[c.Name] == 0 {
			t.Errorf("%s has no good answer", c.Name)
		}
	}
	cpu := 0.0
	for _, f := range r.Figures {
		if f.Name == record.FigureCPU {
			cpu += f.Value
		}
	}
	if cpu <= 0 {
		t.Error("the server used no CPU time")
	}

	t.Run("report", func(t *testing.T) {
		name := filepath.Join(dirs[0], "report.md")
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if status, _, stderr := runCommand(t, environ, "bench", "report", dirs[0]); status != 0 {
			t.Fatal(stderr)
		}
		if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
			t.Errorf("the report was not made again: %v", err)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		for want, args := range map[string][]string{
			"cases,folder,problems,run":                            {"report", dirs[0]},
			"alpha,differences,only_new,only_old,threshold,unlike": {"compare", dirs[0], dirs[0]},
			"cases,folder,problems,run,targets":                    {"targets", "--from", dirs[0]},
		} {
			_, stdout, stderr := runCommand(t, environ, append([]string{"bench"}, append(args, "--json")...)...)
			lines := readJSON(t, stdout)
			if len(lines) != 1 || names(lines[0]) != want {
				t.Errorf("%s: %s%s, want %s", args[0], stdout, stderr, want)
			}
		}
	})
	t.Run("compare", func(t *testing.T) {
		status, stdout, stderr := runCommand(t, environ, "bench", "compare", "--fail", dirs[0], dirs[0])
		if status != 0 || !strings.Contains(stdout, "too few runs") || strings.Contains(stdout, "WORSE") {
			t.Errorf("status %d\n%s%s", status, stdout, stderr)
		}
	})
	t.Run("targets", func(t *testing.T) {
		status, stdout, stderr := runCommand(t, environ, "bench", "targets", "--from", dirs[0])
		missed := strings.Contains(stdout, "MISSED")
		if (status == 1) != missed || !strings.Contains(stdout, "not measured") || !strings.Contains(stdout, "p99 / p50") {
			t.Errorf("status %d\n%s%s", status, stdout, stderr)
		}
	})
}

func TestBenchMeasuresModelAndPipeline(t *testing.T) {
	environ, out, image := benchEnvironment(t)
	for _, which := range []string{"model", "pipeline"} {
		status, stdout, stderr := runCommand(t, environ, "bench", which, "--out", filepath.Join(out, which), "--images", image, "--runs", "1",
			"--duration", "50ms", "--warm-up", "20ms", "--model-delegates", "none", "--model-threads", "1")
		if status != 0 {
			t.Fatalf("%s: status %d\n%s%s", which, status, stdout, stderr)
		}
		for _, want := range map[string][]string{"model": {"first inference", "memory overall", "memory further", "none, threads 1, interpreters 1"},
			"pipeline": {"ceiling red_720p.png", "decode red_720p.png", "invoke red_720p.png"}}[which] {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s lacks %q:\n%s", which, want, stdout)
			}
		}
	}
}

// A runtime that is asked for is named in the case, and runs the variants, too.
func TestBenchMeasuresRuntimes(t *testing.T) {
	environ, out, _ := benchEnvironment(t)
	names := []string{"tflite"}
	if _, err := runtimes.New(runtimes.Config{}).LiteRT(); err == nil {
		names = append(names, "litert")
	}
	bench := func(names string) (int, string) {
		status, _, stderr := runCommand(t, environ, "bench", "model", "--out", out, "--runs", "1", "--duration", "50ms", "--warm-up", "20ms",
			"--model-delegates", "auto", "--model-threads", "1", "--model-interpreters", "1", "--model-runtimes", names)
		return status, stderr
	}
	if status, stderr := bench("openvino"); status != 1 || !strings.Contains(stderr, "--model-runtimes must be auto, tflite or litert") {
		t.Errorf("an unknown runtime: status %d, %s", status, stderr)
	}
	if status, stderr := bench(strings.Join(names, ",")); status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	r, err := record.Read(runs(t, out)[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(r.Run.Cases, func(c record.Case) bool {
			return c.Runtime == name && c.Variant == "" && c.Name == name+", auto, threads 1, interpreters 1"
		}) {
			t.Errorf("%s is missing: %+v", name, r.Run.Cases)
		}
	}
}

// The file of the built-in model is open in one process only; its times are measured in another.
func TestBenchMeasuresTheBuiltInModel(t *testing.T) {
	environ, out, _ := benchEnvironment(t)
	status, stdout, stderr := runCommand(t, environ, "bench", "model", "--model", quality.Name, "--out", out, "--runs", "1",
		"--duration", "50ms", "--warm-up", "20ms", "--model-delegates", "none", "--model-threads", "1", "--model-interpreters", "1")
	if status != 0 {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	r, err := record.Read(runs(t, out)[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Run.Cases {
		if !slices.ContainsFunc(r.Samples, func(s record.Sample) bool { return s.Case == c.Name && s.Run == 1 && s.Status == record.Good }) {
			t.Errorf("%s was not measured", c.Name)
		}
	}
}

func TestBenchMeasuresTerminals(t *testing.T) {
	environ, out, image := benchEnvironment(t)
	supervisetest.FindMosquitto(t)
	status, stdout, stderr := runCommand(t, environ, "bench", "mqtt", "--out", out, "--images", image, "--runs", "1", "--duration", "1s",
		"--warm-up", "500ms", "--terminals", "3", "--terminal-rate", "20")
	if status != 0 {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	r, err := record.Read(runs(t, out)[0])
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for _, s := range r.Samples {
		if s.Status != record.Good {
			t.Errorf("%+v", s)
		}
		if s.Run == 1 {
			good++
		}
		if s.Due > s.Sent || s.Sent > s.Done {
			t.Errorf("not in order: %+v", s)
		}
	}
	if good < 10 {
		t.Errorf("%d events, of 20 records a second in a second", good)
	}
}

func TestBenchMeasuresATarget(t *testing.T) {
	image := file(t, "red.png", modeltest.Image(modeltest.Red, 64, 64))
	out := t.TempDir()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/recognize", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Cache", "BYPASS")
		_ = json.NewEncoder(w).Encode("fine")
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("process_cpu_seconds_total 1\nprocess_resident_memory_bytes 1e6\n"))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	status, stdout, stderr := runCommand(t, nil, "bench", "http", "--target", server.URL, "--out", out, "--images", image, "--runs", "1",
		"--duration", "1s", "--warm-up", "20ms", "--kinds", "sync")
	if status != 0 || !strings.Contains(stdout, "sync red.png at 70% of peak") || strings.Contains(stdout, "Start of the service") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

func TestBenchRejectsInvalidFlags(t *testing.T) {
	environ := colorsEnvironment(t)
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a suite":          {[]string{"sleep"}, "sleep"},
		"no runs":          {[]string{"http", "--runs", "0"}, "--runs"},
		"a kind":           {[]string{"http", "--kinds", "sync,fast"}, "--kinds"},
		"no connections":   {[]string{"http", "--connections", "0"}, "--connections"},
		"arrivals":         {[]string{"http", "--arrivals", "bursts"}, "--arrivals"},
		"no image":         {[]string{"http", "--images", "/no/such/file.jpg"}, "--images"},
		"no records":       {[]string{"report", t.TempDir()}, "edgelens bench"},
		"one run":          {[]string{"compare", "x"}, "2 arg"},
		"a goal":           {[]string{"tune", "--goal", "cheap", "--write", "/no/such"}, "--goal"},
		"a missing model":  {[]string{"pipeline", "--model", "unheard-of"}, "unheard-of"},
		"mqtt of a target": {[]string{"mqtt", "--target", "http://127.0.0.1:1"}, "--target"},
	} {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			args := append([]string{"bench"}, tt.args...)
			if slices.Contains([]string{"http", "pipeline", "mqtt"}, tt.args[0]) {
				args = append(args, "--out", out)
			}
			status, _, stderr := runCommand(t, environ, args...)
			if status == 0 || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d, %q, want %q", status, stderr, tt.want)
			}
			if left := runs(t, out); len(left) != 0 {
				t.Errorf("it left %q", left)
			}
		})
	}
}

func TestInterruptedBenchKeepsRecords(t *testing.T) {
	_, out, image := benchEnvironment(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	progressed := writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "run 1 of") {
			cancel()
		}
		return len(p), nil
	})
	var stdout strings.Builder
	status := execute(ctx, []string{"bench", "pipeline", "--out", out, "--images", image, "--runs", "3", "--duration", "100ms", "--warm-up", "50ms"},
		os.Environ(), &stdout, progressed)
	if status != 1 || !strings.HasPrefix(stdout.String(), "NOT GOOD: it was interrupted") {
		t.Errorf("status %d\n%s", status, stdout.String())
	}
	if dirs := runs(t, out); len(dirs) != 1 {
		t.Errorf("folders %q", dirs)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestBenchTuneWritesTheBestAndOverwritesNothing(t *testing.T) {
	environ, out, image := benchEnvironment(t)
	written := filepath.Join(out, "edgelens.yaml")
	tune := func(more ...string) (int, string, string) {
		return runCommand(t, environ, append([]string{"bench", "tune", "--goal", "latency", "--write", written, "--images", image, "--runs", "1", "--duration", "20ms"}, more...)...)
	}
	status, stdout, stderr := tune()
	for _, want := range []string{"p95", "SAME FIRST CLASS", "tflite", "100%", "as set so far", "Stored in the data folder"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Fatalf("status %d, want %q\n%s%s", status, want, stdout, stderr)
		}
	}
	_, dir, _ := strings.Cut(environ[0], "=")
	if found, err := tuned.Read(dir); err != nil || found.Goal != "latency" || found.Best.Score >= 0 || found.Before.Score > found.Best.Score || found.Cores == 0 {
		t.Errorf("stored: %+v, %v", found, err)
	}
	text, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	if status, stdout, stderr := runCommand(t, environ, "config", "--config", written); status != 0 || !strings.Contains(stdout, "interpreters: ") {
		t.Errorf("serve could not read it: %s\n%s", stderr, text)
	}
	began := time.Now()
	if status, _, stderr := tune(); status != 1 || !strings.Contains(stderr, "--force") || time.Since(began) > 2*time.Second {
		t.Errorf("it would write over a file, or measured first: status %d, %s", status, stderr)
	}
	if again, _ := os.ReadFile(written); string(again) != string(text) {
		t.Error("the file was changed")
	}
}
