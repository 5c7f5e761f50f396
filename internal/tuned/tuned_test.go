package tuned_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/tuned"
)

var best = tuned.Settings{Runtime: "litert", Delegate: "auto", Threads: 1, Interpreters: 2}

func result() tuned.Result {
	before := best
	before.Runtime, before.Threads = "auto", 2
	return tuned.Result{
		Format: 1, At: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), Version: "v1", Goal: "throughput",
		Identity: tuned.Identity{Board: "Raspberry Pi 5", Processor: "A76", Features: []string{"asimd", "asimddp"}, Architecture: "arm64", Cores: 4, Model: "sha256:a", Runtimes: "tflite 2.17.1, litert 2.3.0"},
		Best:     tuned.Measured{Settings: best, Score: 120}, Before: tuned.Measured{Settings: before, Score: 100},
	}
}

func TestWrittenResultIsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	for range 2 { // a second one replaces the first
		if err := tuned.Write(dir, result()); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := tuned.Read(dir); err != nil || !reflect.DeepEqual(got, result()) {
		t.Errorf("%+v, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(dir, tuned.FileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files: %v", left)
	}
}

func TestUnreadableResult(t *testing.T) {
	if _, err := tuned.Read(t.TempDir()); !tuned.IsMissing(err) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for name, text := range map[string]string{
		"empty": "", "cut": `{"format": 1, "goal": "lat`, "another format": `{"format": 2, "goal": "latency", "model": "a", "best": {"threads": 1, "interpreters": 1}}`,
		"no format": `{"goal": "latency"}`, "no settings": `{"format": 1, "goal": "latency", "model": "a"}`, "another type": `{"format": "1"}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, tuned.FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tuned.Read(dir); !errors.Is(err, edgelens.ErrInvalid) || tuned.IsMissing(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, tuned.FileName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := tuned.Read(dir); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a folder: %v", err)
	}
}

func TestAdvice(t *testing.T) {
	r := result()
	want := []string{"inference.runtime: litert", "inference.threads: 1"}
	if got := r.Advice(r.Identity, r.Before.Settings); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := r.Advice(r.Identity, best); got != nil {
		t.Errorf("in use: %q", got)
	}
	for name, change := range map[string]func(*tuned.Identity){
		"another board":     func(i *tuned.Identity) { i.Board = "Raspberry Pi 4" },
		"another processor": func(i *tuned.Identity) { i.Processor = "A72" },
		"fewer features":    func(i *tuned.Identity) { i.Features = i.Features[:1] },
		"other cores":       func(i *tuned.Identity) { i.Cores = 2 },
		"another model":     func(i *tuned.Identity) { i.Model = "sha256:b" },
		"another runtime":   func(i *tuned.Identity) { i.Runtimes = "tflite 2.17.1" },
		"another system":    func(i *tuned.Identity) { i.Architecture = "amd64" },
	} {
		other := r.Identity
		change(&other)
		if got := r.Advice(other, r.Before.Settings); got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	r.Best.Score = 102
	if got := r.Advice(r.Identity, r.Before.Settings); got != nil {
		t.Errorf("a gain that is noise: %q", got)
	}
}

func TestGain(t *testing.T) {
	for _, c := range []struct{ best, before, want float64 }{
		{120, 100, 0.2}, {-8, -10, 0.2}, {100, 100, 0}, {-10, -10, 0}, {50, 0, 0}, {90, 100, -0.1},
	} {
		r := tuned.Result{Best: tuned.Measured{Score: c.best}, Before: tuned.Measured{Score: c.before}}
		if got := r.Gain(); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("best %v, before %v: %v, want %v", c.best, c.before, got, c.want)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, flag := range best.Flags() {
		if !tuned.IsFlag(flag) {
			t.Errorf("%s is not recognized", flag)
		}
	}
	for _, flag := range []string{"--model=threads", "--inference-probe=true", "--inference-threads-of=1"} {
		if tuned.IsFlag(flag) {
			t.Errorf("%s is none of them", flag)
		}
	}
}
