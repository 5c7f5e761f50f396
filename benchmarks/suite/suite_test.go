package suite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/suite"
	fakemodel "edgelens/inference/fake"
)

// measure runs tasks and reads what was recorded.
func measure(t *testing.T, rounds int, tasks []suite.Task) (*record.Records, error) {
	t.Helper()
	return measureFor(t, 60*time.Millisecond, rounds, tasks)
}

// measureFor is measure with the length of a window.
func measureFor(t *testing.T, window time.Duration, rounds int, tasks []suite.Task) (*record.Records, error) {
	t.Helper()
	run := &record.Run{Started: time.Now(), Rounds: rounds, Cases: suite.Cases(tasks)}
	w, err := record.Create(filepath.Join(t.TempDir(), "run"), run)
	if err != nil {
		t.Fatal(err)
	}
	calls, steps := 0, 0
	for _, task := range tasks {
		if steps += rounds + 1; task.Case.Runs > 0 {
			steps += task.Case.Runs - rounds - 1
		}
	}
	measured := suite.Execute(t.Context(), suite.Plan{Rounds: rounds, Window: window, WarmUp: 20 * time.Millisecond}, tasks, run, w,
		func(done, all int, what string) {
			if done != calls || all != steps || what == "" {
				t.Errorf("progress %d of %d: %q", done, all, what)
			}
			calls++
		})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	records, err := record.Read(w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return records, measured
}

// statuses counts the samples of a case in valid runs.
func statuses(r *record.Records, name string) map[string]int {
	counts := map[string]int{}
	for _, s := range r.Samples {
		if s.Case == name && s.Run > 0 {
			counts[s.Status]++
		}
	}
	return counts
}

func figure(r *record.Records, name, figure string, run int) (float64, bool) {
	for _, f := range r.Figures {
		if f.Case == name && f.Name == figure && f.Run == run {
			return f.Value, true
		}
	}
	return 0, false
}

func httpConfig() suite.HTTPConfig {
	return suite.HTTPConfig{Images: []suite.Image{{Name: "p", Data: []byte("image")}}, Kinds: suite.Kinds, Connections: []int{2}, Loads: []float64{0.1},
		Arrivals: load.Constant, OpenConnections: 8}
}

func TestHTTPSuite(t *testing.T) {
	server := httptest.NewServer(newFake())
	defer server.Close()
	r, err := measure(t, 2, suite.HTTP(httpConfig(), suite.Remote{Base: server.URL}))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Run.Cases) != 5 {
		t.Fatalf("cases %+v", r.Run.Cases)
	}
	for _, c := range r.Run.Cases {
		counts := statuses(r, c.Name)
		if counts[record.Good] == 0 || len(counts) > 1 && c.Kind != record.KindAsync && c.Kind != record.KindMixed {
			t.Errorf("%s: %v", c.Name, counts)
		}
		begin, _ := figure(r, c.Name, record.FigureBegin, 2)
		end, ok := figure(r, c.Name, record.FigureEnd, 2)
		if !ok || end-begin < 0.0599 || end-begin > 0.0601 {
			t.Errorf("%s: window from %v to %v", c.Name, begin, end)
		}
		if memory, ok := figure(r, c.Name, record.FigureMemory, 1); !ok || memory != 5e7 {
			t.Errorf("%s: memory %v", c.Name, memory)
		}
	}
	// The first cached answer was a MISS, in the warm-up; of the jobs, one failed.
	warm := map[string]int{}
	for _, s := range r.Samples {
		if s.Run == 0 {
			warm[s.Status]++
		}
	}
	if warm["X-Cache MISS"] != 1 || warm["job failed"] != 1 {
		t.Errorf("warm-up: %v", warm)
	}
	rate, ok := figure(r, "sync p at 10% of peak", record.FigureRate, 1)
	if !ok || rate <= 0 {
		t.Errorf("rate %v", rate)
	}
	counted := 0
	for _, s := range r.Samples {
		if s.Case == "sync p c2" && s.Run == 1 && s.Status == record.Good {
			counted++
		}
	}
	if peak := float64(counted) / 0.06; rate > 0.11*peak || rate < 0.05*peak {
		t.Errorf("10%% of a peak of %.0f/s is %.0f/s", peak, rate)
	}
}

// The soak comes last, and its memory is measured ten times.
func TestSoak(t *testing.T) {
	server := httptest.NewServer(newFake())
	defer server.Close()
	service, images := suite.Remote{Base: server.URL}, httpConfig().Images
	config := httpConfig()
	config.Kinds, config.Loads = []string{record.KindSync}, nil
	soak := suite.SoakTask(service, images, 2, 200*time.Millisecond)
	r, err := measure(t, 1, append([]suite.Task{soak}, suite.HTTP(config, service)...))
	if err != nil {
		t.Fatal(err)
	}
	name := soak.Case.Name
	if counts := statuses(r, name); counts[load.Good] == 0 || len(counts) != 1 {
		t.Errorf("its answers: %v", counts)
	}
	if last := r.Samples[len(r.Samples)-1]; last.Case != name || last.Run != 10 {
		t.Errorf("the last sample is run %d of %s", last.Run, last.Case)
	}
	end := 0.0
	for run := 1; run <= 10; run++ {
		begin, _ := figure(r, name, record.FigureBegin, run)
		if begin < end {
			t.Errorf("run %d began at %v s, and the one before ended at %v s", run, begin, end)
		}
		end, _ = figure(r, name, record.FigureEnd, run)
		if memory, ok := figure(r, name, record.FigureMemory, run); !ok || memory <= 0 {
			t.Errorf("run %d has no memory", run)
		}
	}
	if _, ok := figure(r, name, record.FigureMemory, 11); ok {
		t.Error("it ran too often")
	}
}

func TestRefusalsDoNotCountAsThroughput(t *testing.T) {
	service := newFake()
	server := httptest.NewServer(service)
	defer server.Close()
	config := httpConfig()
	config.Kinds, config.Loads = []string{record.KindSync}, nil
	tasks := suite.HTTP(config, suite.Remote{Base: server.URL})
	if _, err := measure(t, 1, tasks); err != nil { // its first request, which must succeed
		t.Fatal(err)
	}
	service.status.Store(503)
	r, err := measure(t, 1, tasks)
	if err != nil {
		t.Fatal(err)
	}
	if counts := statuses(r, "sync p c2"); len(counts) != 1 || counts["503"] != 2 {
		t.Errorf("%v: each connection is to ask once and to wait then", counts)
	}
}

func TestRefusedImageIsReportedFirst(t *testing.T) {
	server := httptest.NewServer(newFake())
	defer server.Close()
	config := httpConfig()
	config.Images[0].Data = []byte("no image")
	r, err := measure(t, 1, suite.HTTP(config, suite.Remote{Base: server.URL}))
	if err == nil || !strings.Contains(err.Error(), "422") || len(r.Samples) != 0 {
		t.Errorf("%v, %d samples", err, len(r.Samples))
	}
}

func TestShareOfUnknownPeakIsAnError(t *testing.T) {
	server := httptest.NewServer(newFake())
	defer server.Close()
	config := httpConfig()
	config.Kinds = nil
	if _, err := measure(t, 1, suite.HTTP(config, suite.Remote{Base: server.URL})); err == nil || !strings.Contains(err.Error(), "share of the peak") {
		t.Errorf("%v", err)
	}
}

// slow is a model whose Invoke takes a millisecond.
func slow() *fakemodel.Backend {
	backend := fakemodel.Image(8, 4)
	backend.Graph = func([]byte, []byte) error {
		time.Sleep(time.Millisecond) // the work
		return nil
	}
	return backend
}

// measureForParent is the child process that suite.Model starts.
func measureForParent() {
	if err := suite.MeasureModelForParent(context.Background(), slow(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func modelFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.tflite")
	if err := os.WriteFile(file, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestModelSuite(t *testing.T) {
	t.Setenv("SUITE_TEST_SERVICE", "model")
	file := modelFile(t)
	settings := []suite.ModelSetting{{Delegate: "auto", Threads: 1, Interpreters: 2, File: file}, {Delegate: "none", Threads: 2, Interpreters: 1, File: file},
		{Delegate: "auto", Threads: 1, Interpreters: 1, Variant: suite.VariantFloat32, File: file}}
	r, err := measure(t, 1, suite.Model(settings, []string{os.Args[0]}))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range r.Run.Cases {
		workers := map[int]bool{}
		for _, s := range r.Samples {
			if s.Case == c.Name && s.Run == 1 {
				workers[s.Worker] = true
				if s.Latency() < time.Millisecond {
					t.Errorf("%+v", s)
				}
			}
		}
		if len(workers) != settings[i].Interpreters {
			t.Errorf("%s: %d interpreters ran", c.Name, len(workers))
		}
		for _, name := range []string{record.FigureInit, record.FigureFirst, record.FigureWarmup, record.FigureMemoryInit, record.FigureMemoryOverall, record.FigureMemoryFurther} {
			if v, ok := figure(r, c.Name, name, 1); !ok || strings.HasSuffix(name, "seconds") && v <= 0 {
				t.Errorf("%s: %s %v", c.Name, name, v)
			}
		}
		if bytes, _ := figure(r, c.Name, record.FigureFile, 1); bytes != 100 {
			t.Errorf("%s: a file of %v bytes", c.Name, bytes)
		}
	}
}

func TestModelThatFailsIsNotMeasured(t *testing.T) {
	setting := suite.ModelSetting{Delegate: "auto", Threads: 1, Interpreters: 2, File: modelFile(t)}
	failing := fakemodel.Image(8, 4)
	failing.Graph = func([]byte, []byte) error { return errors.New("it fails") }
	unbuilt := fakemodel.Image(8, 4)
	unbuilt.BuildError = errors.New("no memory")
	for name, backend := range map[string]*fakemodel.Backend{"Invoke": failing, "NewInterpreter": unbuilt} {
		if _, err := suite.MeasureModel(t.Context(), backend, setting, time.Second, nil); err == nil {
			t.Errorf("%s fails, and the model was measured", name)
		}
		if backend.Built.Load() != backend.Closed.Load() || backend.Opened.Load() != backend.ModelsClosed.Load() {
			t.Errorf("%s fails: something is left open", name)
		}
	}
	setting.File = "/no/such.tflite"
	if _, err := suite.MeasureModel(t.Context(), slow(), setting, time.Second, nil); err == nil {
		t.Error("a missing file was measured")
	}
}

// The scores for given inputs come back in their order; what is no tensor, or no number, is an error.
func TestModelAnswersInputs(t *testing.T) {
	setting := suite.ModelSetting{Delegate: "auto", Threads: 1, Interpreters: 1, File: modelFile(t)}
	backend := fakemodel.Image(8, 4)
	backend.Graph = func(in, out []byte) error {
		for i := range out {
			out[i] = in[0]
		}
		return nil
	}
	const size = 8 * 8 * 3
	inputs := make([]byte, 3*size)
	inputs[size], inputs[2*size] = 100, 200
	times, err := suite.MeasureModel(t.Context(), backend, setting, time.Millisecond, inputs)
	if err != nil || len(times.Scores) != 3 || len(times.Scores[0]) == 0 {
		t.Fatalf("%+v, %v", times, err)
	}
	if a, b, c := times.Scores[0][0], times.Scores[1][0], times.Scores[2][0]; !(a < b && b < c) {
		t.Errorf("scores %v, %v, %v", a, b, c)
	}
	if _, err := suite.MeasureModel(t.Context(), backend, setting, time.Millisecond, inputs[1:]); err == nil {
		t.Error("a part of a tensor is no error")
	}
}

func TestModelChildFails(t *testing.T) {
	t.Setenv("SUITE_TEST_SERVICE", "model")
	for name, test := range map[string]struct {
		setting suite.ModelSetting
		child   string
		want    string
	}{
		"a missing file":      {suite.ModelSetting{Interpreters: 1, File: "/no/such.tflite"}, os.Args[0], "/no/such.tflite"},
		"no interpreters":     {suite.ModelSetting{File: modelFile(t)}, os.Args[0], "at least 1"},
		"a missing program":   {suite.ModelSetting{Interpreters: 1, File: modelFile(t)}, "/no/such/program", "/no/such/program"},
		"an answer of no use": {suite.ModelSetting{Interpreters: 1, File: modelFile(t)}, "true", "measure the model"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := measure(t, 1, suite.Model([]suite.ModelSetting{test.setting}, []string{test.child})); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestMadeImagesDecode(t *testing.T) {
	for _, p := range suite.MadeImages() {
		config, err := jpeg.DecodeConfig(bytes.NewReader(p.Data))
		if err != nil || !strings.Contains(p.Name, fmt.Sprint(config.Height)) || len(p.Data) < 50_000 || len(p.Data) > 1_000_000 {
			t.Errorf("%s: %v, %+v, %d bytes", p.Name, err, config, len(p.Data))
		}
	}
}
