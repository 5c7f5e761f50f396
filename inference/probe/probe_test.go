package probe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/fake"
	"edgelens/inference/probe"
	"edgelens/inference/tflite"
	"edgelens/internal/testutil"
	"edgelens/models"
)

// parentVariable makes this test binary a parent that dies while it tries a model.
const parentVariable = "EDGELENS_TEST_PARENT"

func TestMain(m *testing.M) {
	probe.Main(backend{})
	if folder := os.Getenv(parentVariable); folder != "" {
		path := filepath.Join(folder, "m.fake")
		fmt.Fprintln(os.Stderr, newProber(probe.Config{Timeout: time.Minute}).Probe(context.Background(), model(path), config().Options(model(path)), config().Pool()))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// backend does what the first word of a .fake file names when it is invoked, and
// passes other files to TensorFlow Lite.
type backend struct{}

func (backend) Open(path string, options inference.Options) (inference.Model, error) {
	if filepath.Ext(path) != ".fake" {
		return tflite.New().Open(path, options)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if options.Accelerator != "" && string(text) == "no device" {
		return nil, &inference.AcceleratorError{Accelerator: options.Accelerator, Reason: inference.AcceleratorNoAdapter, Detail: "words", Err: &inference.RuntimeError{Sentence: "there is no device", Detail: "words"}}
	}
	b := fake.Image(2, 3)
	b.Graph = func([]byte, []byte) error { return behave(string(text), path) }
	return b.Open(path, options)
}

func behave(what, path string) error {
	signal := func(s syscall.Signal) { _ = syscall.Kill(os.Getpid(), s); time.Sleep(time.Minute) }
	switch what {
	case "fails":
		return errors.New("words of the library")
	case "panics":
		panic("in Invoke")
	case "exits":
		os.Exit(0)
	case "aborts":
		fmt.Fprintln(os.Stderr, "SIGABRT: abort")
		os.Exit(2)
	case "segfaults":
		signal(syscall.SIGSEGV)
	case "killed":
		signal(syscall.SIGKILL)
	case "takes memory":
		held := [][]byte{}
		for range 1 << 10 {
			held = append(held, bytes.Repeat([]byte{1}, 16<<20))
		}
		return fmt.Errorf("%d", len(held))
	case "computes":
		for i := 0; ; i++ {
		}
	case "environment":
		if os.Getenv("VK_DRIVER_FILES") != "driver.json" || os.Getenv("VK_ICD_FILENAMES") != "driver.json" || os.Getenv("XDG_RUNTIME_DIR") != "/run/user/1" || os.Getenv("SECRET") != "" {
			return errors.New("another environment")
		}
	case "waits":
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			return err
		}
		time.Sleep(time.Hour)
	}
	return nil
}

func newProber(c probe.Config) *probe.Prober {
	c.Runtime, c.Log = "1", slog.New(slog.DiscardHandler)
	return probe.New(c)
}

func config() inference.Config {
	c := inference.DefaultConfig()
	c.Interpreters = 2
	return c
}

func model(path string) models.Model {
	return models.Model{ModelRef: edgelens.ModelRef{Name: "m", Digest: "sha256:" + filepath.Base(path)}, Path: path}
}

func write(t testing.TB, what string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.fake")
	if err := os.WriteFile(path, []byte(what), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A trial uses the drivers of graphics processors that this process uses, and gets no
// other variables.
func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{"VK_DRIVER_FILES": "driver.json", "VK_ICD_FILENAMES": "driver.json", "XDG_RUNTIME_DIR": "/run/user/1", "SECRET": "1"} {
		t.Setenv(name, value)
	}
	if err := newProber(probe.Config{Timeout: time.Minute}).Probe(t.Context(), model(write(t, "environment")), config().Options(model(write(t, "environment"))), config().Pool()); err != nil {
		t.Error(err)
	}
}

// However a trial ends, this process survives, and the error describes the problem
// of the model, without the library's messages.
func TestTrialOutcomes(t *testing.T) {
	for what, want := range map[string]string{
		"works": "", "fails": "fails on an image of noise", "panics": "ended the child process", "exits": "ended the child process", "aborts": "SIGABRT",
		"segfaults": "SIGSEGV", "killed": "more memory", "takes memory": "more memory than a model may have here, 256 MB",
		"computes": "more than 300ms", "waits": "more than 300ms",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			timeout := time.Minute
			if strings.HasPrefix(want, "more than") {
				timeout = 300 * time.Millisecond
			}
			err := newProber(probe.Config{Timeout: timeout, MemoryBytes: 256 << 20}).Probe(t.Context(), model(write(t, what)), config().Options(model(write(t, what))), config().Pool())
			if want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "words of") {
				var words *inference.RuntimeError
				if errors.As(err, &words) {
					t.Log(words.Detail)
				}
				t.Errorf("got %v, want ErrModel with %q", err, want)
			}
		})
	}
}

// Why an accelerator cannot be used is known after a trial, too. A vetted model is tried on it.
func TestAcceleratorErrorOfTrial(t *testing.T) {
	m := model(write(t, "no device"))
	prober := newProber(probe.Config{Timeout: time.Minute, Vetted: []string{m.Digest}})
	options := config().Options(m)
	if err := prober.Probe(t.Context(), m, options, config().Pool()); err != nil {
		t.Errorf("on the processor: %v", err)
	}
	options.Accelerator = inference.AcceleratorGPU
	err := prober.Probe(t.Context(), m, options, config().Pool())
	var got *inference.AcceleratorError
	if !errors.As(err, &got) || !errors.Is(err, edgelens.ErrModel) || got.Accelerator != "gpu" || got.Reason != inference.AcceleratorNoAdapter || got.Detail != "words" || !strings.Contains(err.Error(), "there is no device") {
		t.Errorf("got %#v, want what the child found", err)
	}
}

// A passed trial is remembered by digest, runtime and options; a failed one
// is repeated.
func TestPassedTrialIsRemembered(t *testing.T) {
	path, dir := write(t, "works"), filepath.Join(t.TempDir(), "tried")
	try := func(c probe.Config, digest string, in inference.Config) error {
		c.Dir, c.Log = dir, slog.New(slog.DiscardHandler)
		if c.Runtime == "" {
			c.Runtime = "1"
		}
		return probe.New(c).Probe(t.Context(), models.Model{ModelRef: edgelens.ModelRef{Digest: digest}, Path: path}, in.Options(models.Model{ModelRef: edgelens.ModelRef{Digest: digest}, Path: path}), in.Pool())
	}
	if err := try(probe.Config{}, "sha256:1", config()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("exits"), 0o600); err != nil { // a trial would fail now
		t.Fatal(err)
	}
	if err := try(probe.Config{}, "sha256:1", config()); err != nil {
		t.Errorf("the same digest is tried again: %v", err)
	}
	if err := try(probe.Config{Vetted: []string{"sha256:2"}}, "sha256:2", config()); err != nil {
		t.Errorf("a vetted digest is tried: %v", err)
	}
	other := config()
	other.Delegate = inference.DelegateNone
	many := config()
	many.Interpreters = 3
	for name, err := range map[string]error{
		"another digest": try(probe.Config{}, "sha256:3", config()), "another runtime": try(probe.Config{Runtime: "2"}, "sha256:1", config()),
		"another delegate": try(probe.Config{}, "sha256:1", other), "more interpreters": try(probe.Config{}, "sha256:1", many),
		"no digest": try(probe.Config{}, "", config()),
	} {
		if !errors.Is(err, edgelens.ErrModel) {
			t.Errorf("%s passes untried: %v", name, err)
		}
	}
	notes, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(notes) != 1 {
		t.Fatalf("%v, %v", notes, err)
	}
	if err := os.WriteFile(notes[0], []byte(`{"key":"another"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := try(probe.Config{}, "sha256:1", config()); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("a note of another key counts: %v", err)
	}
}

// pidOf waits for the child of a trial that waits.
func pidOf(t *testing.T, path string) int {
	t.Helper()
	file := filepath.Join(filepath.Dir(path), "pid")
	pid := 0
	testutil.Eventually(t, "the trial begins", func() bool {
		text, err := os.ReadFile(file)
		if err == nil {
			pid, err = strconv.Atoi(string(text))
		}
		return err == nil
	})
	return pid
}

// gone waits until there is no such process, not even a zombie.
func gone(t *testing.T, pid int) {
	t.Helper()
	testutil.Eventually(t, fmt.Sprintf("process %d is gone", pid), func() bool { return syscall.Kill(pid, 0) != nil })
}

func TestCanceledTrialLeavesNoProcess(t *testing.T) {
	path := write(t, "waits")
	ctx, cancel := context.WithCancel(t.Context())
	var trial sync.WaitGroup
	trial.Go(func() {
		err := newProber(probe.Config{}).Probe(ctx, model(path), config().Options(model(path)), config().Pool())
		if !errors.Is(err, edgelens.ErrCanceled) || errors.Is(err, edgelens.ErrModel) {
			t.Errorf("got %v, want ErrCanceled", err)
		}
	})
	pid := pidOf(t, path)
	cancel()
	trial.Wait()
	gone(t, pid)
}

func TestDeadParentLeavesNoProcess(t *testing.T) {
	path := write(t, "waits")
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentVariable+"="+filepath.Dir(path))
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := pidOf(t, path)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	gone(t, pid) // its new parent reaps it
}

// Concurrent trials run a few at a time, each with its own verdict.
func TestConcurrentTrials(t *testing.T) {
	p := newProber(probe.Config{})
	good, bad := write(t, "works"), write(t, "segfaults")
	var trials sync.WaitGroup
	for n := range 6 {
		trials.Go(func() {
			path := good
			if n%2 == 1 {
				path = bad
			}
			m := model(path)
			m.Digest = ""
			if err := p.Probe(t.Context(), m, config().Options(m), config().Pool()); (err != nil) != (path == bad) {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	trials.Wait()
}
