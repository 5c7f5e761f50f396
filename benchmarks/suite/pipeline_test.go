//go:build cgo

package suite_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/suite"
	fakemodel "edgelens/inference/fake"
	"edgelens/models/modeltest"
	"edgelens/preprocess"
)

// allClosed checks that no interpreter and no model is left open.
func allClosed(t *testing.T, backend *fakemodel.Backend) {
	t.Helper()
	if built, closed := backend.Built.Load(), backend.Closed.Load(); built == 0 || built != closed || backend.Opened.Load() != backend.ModelsClosed.Load() {
		t.Errorf("%d interpreters built, %d closed", built, closed)
	}
}

func TestPipelineSuite(t *testing.T) {
	backend := slow()
	config := suite.PipelineConfig{Backend: backend, Preprocess: preprocess.DefaultConfig()}
	images := []suite.Image{{Name: "p", Data: modeltest.Image(modeltest.Red, 640, 480)}}
	r, err := measure(t, 1, suite.PipelineTasks(images, 3, true, config))
	if err != nil {
		t.Fatal(err)
	}
	allClosed(t, backend)
	var names []string
	for _, c := range r.Run.Cases {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, []string{"ceiling p", "decode p", "resize p", "invoke p"}) {
		t.Errorf("%q", names)
	}
	stages := map[string]int{}
	for _, s := range r.Samples {
		if s.Case == "invoke p" && s.Latency() < time.Millisecond || s.Latency() <= 0 {
			t.Fatalf("%+v", s)
		}
		stages[s.Case]++
	}
	if stages["decode p"] == 0 || stages["decode p"] != stages["invoke p"] || stages["resize p"] != stages["invoke p"] {
		t.Errorf("samples by stage: %v", stages)
	}
	if n := statuses(r, "ceiling p")[record.Good]; n < 3 {
		t.Errorf("%d images", n)
	}
	if _, ok := figure(r, "ceiling p", record.FigureCPU, 1); !ok {
		t.Error("the ceiling's CPU time is missing")
	}
}

func TestPipelineThatFailsIsClosed(t *testing.T) {
	unbuilt := fakemodel.Image(8, 4)
	unbuilt.BuildError = errors.New("no memory")
	failing := fakemodel.Image(8, 4)
	failing.Graph = func([]byte, []byte) error { return errors.New("it fails") }
	good := suite.Image{Name: "p", Data: modeltest.Image(modeltest.Red, 64, 48)}
	for name, test := range map[string]struct {
		backend *fakemodel.Backend
		image   suite.Image
	}{
		"no image":       {fakemodel.Image(8, 4), suite.Image{Name: "p"}},
		"no interpreter": {unbuilt, good},
		"Invoke":         {failing, good},
	} {
		t.Run(name, func(t *testing.T) {
			config := suite.PipelineConfig{Backend: test.backend, Preprocess: preprocess.DefaultConfig()}
			if _, err := measure(t, 1, suite.PipelineTasks([]suite.Image{test.image}, 3, true, config)); err == nil {
				t.Error("no error")
			}
			if test.backend.Built.Load() != test.backend.Closed.Load() || test.backend.Opened.Load() != test.backend.ModelsClosed.Load() {
				t.Error("something is left open")
			}
		})
	}
}

func TestInvokeAlone(t *testing.T) {
	backend := slow()
	r, err := measure(t, 1, []suite.Task{suite.InvokeAlone("m", "none", 2, suite.PipelineConfig{Backend: backend})})
	if err != nil {
		t.Fatal(err)
	}
	allClosed(t, backend)
	if name := r.Run.Cases[0].Name; statuses(r, name)[record.Good] < 2 {
		t.Errorf("%s: %v", name, statuses(r, name))
	}
}
