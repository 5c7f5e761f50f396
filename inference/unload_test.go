package inference_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/fake"
	"edgelens/internal/testutil"
	"edgelens/models"
)

// twoModels is a registry of the models "cats", the default one, and "dogs".
type twoModels struct{}

func (twoModels) Get(name string) (models.Model, error) {
	if name != "cats" && name != "dogs" {
		return models.Model{}, fmt.Errorf("%w: %s", edgelens.ErrUnknownModel, name)
	}
	return models.Model{ModelRef: edgelens.ModelRef{Name: name, Digest: "sha256:0123"}, Activation: models.ActivationProbabilities, Labels: make([]string, 10)}, nil
}
func (twoModels) List() []models.Listed { return nil }
func (twoModels) Default() string       { return "cats" }

func newLoader(t *testing.T, backend inference.Backend) *inference.Loader {
	t.Helper()
	loader := inference.NewLoader(inference.Config{Interpreters: 1, Threads: 1, InvokeTimeout: time.Minute}, inference.LoaderParts{
		Registry: twoModels{}, Backend: backend, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := loader.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return loader
}

// A model that is unloaded frees its interpreters, and is loaded again by the next request; the default one stays.
func TestUnload(t *testing.T) {
	backend := fake.Image(4, 10)
	loader := newLoader(t, backend)
	for _, name := range []string{"cats", "dogs", "dogs"} {
		if err := loader.Load(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if backend.Opened.Load() != 2 {
		t.Errorf("%d models were opened, want 2", backend.Opened.Load())
	}
	if err := loader.Unload(t.Context(), "cats"); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("the default model: %v", err)
	}
	if err := loader.Unload(t.Context(), "cows"); !errors.Is(err, edgelens.ErrUnknownModel) {
		t.Errorf("an unknown model: %v", err)
	}
	for range 2 { // the second time there is nothing to do
		if err := loader.Unload(t.Context(), "dogs"); err != nil {
			t.Fatal(err)
		}
	}
	if backend.ModelsClosed.Load() != 1 || backend.Closed.Load() != 1 || len(loader.Interpreters()) != 1 {
		t.Errorf("%d models and %d interpreters were closed, and %d models are left", backend.ModelsClosed.Load(), backend.Closed.Load(), len(loader.Interpreters()))
	}
	spec, err := loader.Describe(t.Context(), "dogs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loader.Run(t.Context(), spec, filling(func([]byte) error { return nil })); err != nil || backend.Opened.Load() != 3 {
		t.Errorf("after it is loaded again: %v, opened %d", err, backend.Opened.Load())
	}
}

// A run in progress ends before its interpreter is freed, and one that waits is told to come again.
func TestUnloadWaitsForRuns(t *testing.T) {
	backend, g := fake.Image(4, 10), newGate()
	backend.Graph = g.graph
	loader := newLoader(t, backend)
	spec, err := loader.Describe(t.Context(), "dogs")
	if err != nil {
		t.Fatal(err)
	}
	g.block.Store(1)
	running, waiting, unloaded := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	run := func(to chan<- error) {
		_, err := loader.Run(t.Context(), spec, filling(func([]byte) error { return nil }))
		to <- err
	}
	go run(running)
	<-g.entered
	go run(waiting)
	testutil.Eventually(t, "a run waits", func() bool { return loader.Interpreters()["dogs"].Waiting == 1 })
	go func() { unloaded <- loader.Unload(t.Context(), "dogs") }()
	if err := <-waiting; !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("the run that waited: %v", err)
	}
	select {
	case err := <-unloaded:
		t.Errorf("it was unloaded during a run: %v", err)
	default:
	}
	close(g.open)
	if err := errors.Join(<-running, <-unloaded); err != nil || backend.ModelsClosed.Load() != 1 {
		t.Errorf("%v, %d models closed", err, backend.ModelsClosed.Load())
	}
}

// failingOnce cannot open a model the first time.
type failingOnce struct {
	*fake.Backend
	failed atomic.Bool
}

func (f *failingOnce) Open(path string, options inference.Options) (inference.Model, error) {
	if !f.failed.Swap(true) {
		return nil, fmt.Errorf("%w: it is damaged", edgelens.ErrModel)
	}
	return f.Backend.Open(path, options)
}

// A model that failed is not tried for each request, but once it is asked for.
func TestLoadTriesAgain(t *testing.T) {
	loader := newLoader(t, &failingOnce{Backend: fake.Image(4, 10)})
	for range 2 {
		if _, err := loader.Describe(t.Context(), "dogs"); !errors.Is(err, edgelens.ErrModel) {
			t.Fatalf("got %v, want the failure", err)
		}
	}
	if err := loader.Load(t.Context(), "dogs"); err != nil {
		t.Errorf("loaded again: %v", err)
	}
	if err := loader.Load(t.Context(), "cows"); !errors.Is(err, edgelens.ErrUnknownModel) {
		t.Errorf("an unknown model: %v", err)
	}
}

// Closing while models are unloaded frees each once.
func TestUnloadWhileClosing(t *testing.T) {
	backend := fake.Image(4, 10)
	loader := newLoader(t, backend)
	if err := loader.Load(t.Context(), "dogs"); err != nil {
		t.Fatal(err)
	}
	unloaded := make(chan error, 4)
	for range cap(unloaded) {
		go func() { unloaded <- loader.Unload(context.Background(), "dogs") }()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := loader.Close(ctx); err != nil {
		t.Error(err)
	}
	for range cap(unloaded) {
		if err := <-unloaded; err != nil && !errors.Is(err, edgelens.ErrStopping) {
			t.Error(err)
		}
	}
	if backend.ModelsClosed.Load() != 1 {
		t.Errorf("%d models were closed, want 1", backend.ModelsClosed.Load())
	}
}
