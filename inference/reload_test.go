package inference_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

// changing is a registry whose models have versions, which change.
type changing struct {
	mu      sync.Mutex
	version int
	// err is why the file cannot be used.
	err error
}

func (r *changing) Get(name string) (models.Model, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return models.Model{}, r.err
	}
	return models.Model{ModelRef: edgelens.ModelRef{Name: "cats", Digest: fmt.Sprintf("sha256:%04d", r.version)}, Activation: models.ActivationProbabilities, Labels: make([]string, 10)}, nil
}
func (r *changing) List() []models.Listed { return nil }
func (r *changing) Default() string       { return "cats" }

func (r *changing) change(version int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version, r.err = version, err
}

func newChanging(t *testing.T, backend inference.Backend) (*inference.Loader, *changing, *testutil.LogBuffer) {
	t.Helper()
	registry, log := &changing{}, &testutil.LogBuffer{}
	loader := inference.NewLoader(inference.Config{Interpreters: 1, Threads: 1, InvokeTimeout: time.Minute}, inference.LoaderParts{
		Registry: registry, Backend: backend, Log: log.Logger(), Metrics: prometheus.NewRegistry(),
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := loader.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return loader, registry, log
}

func reload(t *testing.T, loader *inference.Loader, wantChanged bool) {
	t.Helper()
	if changed, err := loader.Reload(t.Context(), "cats"); err != nil || changed != wantChanged {
		t.Fatalf("reload: %v %v, want %v", changed, err, wantChanged)
	}
}

// fill is a run that fills the tensor with nothing.
var fill = models.Run{Fill: func([]byte) (models.Filled, error) { return models.Filled{}, nil }}

// A user of the former version goes on with it, and it is freed once that is done; others get the new one.
func TestReloadDrainsUsers(t *testing.T) {
	backend := fake.Image(4, 10)
	loader, registry, _ := newChanging(t, backend)
	former, release, err := loader.Acquire(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	reload(t, loader, false)
	registry.change(1, nil)
	replaced := make(chan error, 1)
	go func() {
		_, err := loader.Reload(context.Background(), "cats")
		replaced <- err
	}()
	testutil.Eventually(t, "the new version serves", func() bool {
		spec, done, err := loader.Acquire(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		return spec.Digest == "sha256:0001"
	})
	if _, err := loader.Run(t.Context(), former, fill); err != nil || former.Digest != "sha256:0000" {
		t.Errorf("a user of the former version, %s: %v", former.Digest, err)
	}
	select {
	case err := <-replaced:
		t.Fatalf("the former version was given up while it had a user: %v", err)
	default:
	}
	release()
	if err := <-replaced; err != nil {
		t.Error(err)
	}
	if _, err := loader.Run(t.Context(), former, fill); !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("after it was freed: %v", err)
	}
}

// What cannot be used is logged once, reported, and not tried again until it changes; the former version serves.
func TestReloadOfBadFile(t *testing.T) {
	backend := fake.Image(4, 10)
	loader, registry, log := newChanging(t, backend)
	if _, err := loader.Describe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	bad := fmt.Errorf("%w: it is cut off", edgelens.ErrModel)
	registry.change(1, bad)
	for range 3 {
		if changed, err := loader.Reload(t.Context(), "cats"); changed || !errors.Is(err, edgelens.ErrModel) {
			t.Fatalf("%v %v", changed, err)
		}
	}
	if n := strings.Count(log.String(), "event=model_not_replaced"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	if problems := loader.Problems(); len(problems) != 1 || !errors.Is(problems["cats"], edgelens.ErrModel) {
		t.Errorf("%v", problems)
	}
	spec, release, err := loader.Acquire(t.Context(), "")
	if err != nil || spec.Digest != "sha256:0000" {
		t.Fatalf("%v %v", spec, err)
	}
	defer release()
	if _, err := loader.Run(t.Context(), spec, fill); err != nil {
		t.Error(err)
	}
	registry.change(0, nil) // the former file is back
	reload(t, loader, false)
	if problems := loader.Problems(); len(problems) != 0 {
		t.Errorf("%v", problems)
	}
}

// A thousand versions under load: no run fails, and no interpreter is left.
func TestReloadUnderLoad(t *testing.T) {
	const reloads = 1000
	backend := fake.Image(4, 10)
	loader, registry, _ := newChanging(t, backend)
	var stop atomic.Bool
	var clients sync.WaitGroup
	var runs atomic.Int64
	defer clients.Wait()
	defer stop.Store(true)
	if _, err := loader.Describe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		clients.Go(func() {
			for !stop.Load() {
				spec, release, err := loader.Acquire(t.Context(), "")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = loader.Run(t.Context(), spec, fill)
				release()
				if err != nil {
					t.Error(err)
					return
				}
				runs.Add(1)
			}
		})
	}
	for version := range reloads {
		registry.change(version+1, nil)
		reload(t, loader, true)
	}
	stop.Store(true)
	clients.Wait()
	if stats := loader.Interpreters()["cats"]; stats.Idle != 1 || stats.Busy+stats.Stuck != 0 {
		t.Errorf("%+v", stats)
	}
	t.Logf("%d runs beside %d reloads", runs.Load(), reloads)
}
