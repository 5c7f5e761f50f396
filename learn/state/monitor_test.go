package state_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/learn/state"
)

// world is what a Monitor depends on: a recognizer that answers with the text of the image, and a store in memory.
type world struct {
	mu       sync.Mutex
	requests []*edgelens.Request
	hold     chan struct{} // where set, recognitions wait for it
	saving   func()        // where set, it is called before states are stored
	fail     error
	stored   map[string]edgelens.State
	changes  []edgelens.StateChange
	shown    []edgelens.State
	hidden   []string
	metrics  *prometheus.Registry
}

func (w *world) Recognize(ctx context.Context, r *edgelens.Request) (*edgelens.Result, error) {
	w.mu.Lock()
	w.requests = append(w.requests, r)
	hold := w.hold
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &edgelens.Result{Model: edgelens.ModelRef{Name: r.Model}, Predictions: []edgelens.Prediction{{Label: string(r.Image), Probability: 0.9}}}, nil
}

func (w *world) States(context.Context) (all []edgelens.State, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.stored {
		all = append(all, one)
	}
	return all, nil
}

func (w *world) SaveStates(_ context.Context, all ...edgelens.State) error {
	if w.saving != nil {
		w.saving()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range all {
		w.stored[one.Name] = one
	}
	return nil
}

func (w *world) RecordChange(_ context.Context, change edgelens.StateChange, now edgelens.State) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	w.changes, w.stored[now.Name] = append(w.changes, change), now
	return nil
}

// follow starts a Monitor of a list in a bubble; end stops it.
func (w *world) follow(t *testing.T, list string) (m *state.Monitor, end func()) {
	t.Helper()
	w.metrics = prometheus.NewRegistry()
	log := &testutil.LogBuffer{}
	m, err := state.New(t.Context(), state.Config{List: list}, state.Parts{Recognizer: w, Store: w, Log: log.Logger(), Registerer: w.metrics})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		m.Run(ctx, func(s edgelens.State) { w.shown = append(w.shown, s) }, func(name string) { w.hidden = append(w.hidden, name) })
	})
	return m, func() { cancel(); running.Wait() }
}

// send offers images of a camera, a second apart.
func send(m *state.Monitor, labels ...string) {
	for _, label := range labels {
		time.Sleep(time.Second)
		m.Offer(state.Image{Device: "cam1", Record: "r", Bytes: []byte(label), At: time.Now()})
		synctest.Wait()
	}
}

func label(t *testing.T, m *state.Monitor) string {
	t.Helper()
	now, err := m.State("gate")
	if err != nil {
		t.Fatal(err)
	}
	return now.Label
}

func TestMonitorChangesAndRestores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{stored: map[string]edgelens.State{}}
		m, end := w.follow(t, "gate device=cam1 model=g region=0,0,0.5,0.5 stale_after=1m")
		send(m, "open", "open", "open", "closed", "closed")
		if r := w.requests[0]; r.Priority != edgelens.PriorityBulk || r.Model != "g" || r.View.Region.Width != 0.5 || r.Task != edgelens.TaskClassification {
			t.Errorf("the request is %+v", r)
		}
		if len(w.changes) != 1 || w.changes[0].Label != "open" || w.changes[0].Former != "" || w.changes[0].Record != "r" {
			t.Errorf("changes %+v", w.changes)
		}
		end()
		if len(w.stored["gate"].Answers) != 5 {
			t.Errorf("the last answers are not stored at the end: %+v", w.stored["gate"])
		}
		m, end = w.follow(t, "gate device=cam1 model=g stale_after=1m")
		defer end()
		if label(t, m) != "open" {
			t.Error("the state is forgotten by a restart")
		}
		m.Offer(state.Image{Device: "cam1", Bytes: []byte("closed"), At: time.Now().Add(-time.Hour)})
		send(m, "closed", "closed")
		if label(t, m) != "open" {
			t.Error("an old image, or the answers before the restart, count")
		}
		send(m, "closed")
		if label(t, m) != "closed" {
			t.Error("it does not change any more")
		}
		// Silence makes it stale, and an image ends that.
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if now, _ := m.State("gate"); !now.Stale || now.Label != "closed" || !w.shown[len(w.shown)-1].Stale {
			t.Errorf("after a silence: %+v", now)
		}
		send(m, "closed")
		if now, _ := m.State("gate"); now.Stale || w.shown[len(w.shown)-1].Stale {
			t.Errorf("after an image: %+v", now)
		}
	})
}

// A slow model never holds up a device: of the images that wait, the last one stays, and those between are counted.
func TestLatestImageWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{stored: map[string]edgelens.State{}, hold: make(chan struct{})}
		m, end := w.follow(t, "gate device=cam1 model=g count=1")
		defer end()
		send(m, "a", "b", "c", "d")
		close(w.hold)
		synctest.Wait()
		if len(w.requests) != 2 || string(w.requests[1].Image) != "d" || label(t, m) != "d" {
			t.Errorf("%d requests, the state is %q", len(w.requests), label(t, m))
		}
		if n := testutil.Metrics(t, w.metrics)["edgelens_state_images_skipped_total superseded"]; n != 2 {
			t.Errorf("%v images are counted as superseded, want 2", n)
		}
	})
}

// every limits the images, but not those that decide about a change; other devices, and refused images, do nothing.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{stored: map[string]edgelens.State{}}
		m, end := w.follow(t, "gate device=cam1 model=g every=1m")
		defer end()
		send(m, "open", "open", "open", "open", "open", "open")
		if len(w.requests) != 3 {
			t.Errorf("%d images are recognized, want the 3 until the change", len(w.requests))
		}
		time.Sleep(time.Minute)
		send(m, "closed", "closed", "closed")
		if label(t, m) != "closed" || len(w.requests) != 6 {
			t.Errorf("%q after %d images", label(t, m), len(w.requests))
		}
		m.Offer(state.Image{Device: "cam2", Bytes: []byte("open"), At: time.Now()})
		m.Refuse("cam1")
		synctest.Wait()
		if n := testutil.Metrics(t, w.metrics)["edgelens_state_images_skipped_total not_fresh"]; n != 1 || len(w.requests) != 6 {
			t.Errorf("%v refused, %d images", n, len(w.requests))
		}
	})
}

// A change that cannot be stored does not happen, and is tried again.
func TestChangeIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{stored: map[string]edgelens.State{}, fail: fmt.Errorf("%w: /var/lib/edgelens", edgelens.ErrDiskFull)}
		m, end := w.follow(t, "gate device=cam1 model=g")
		defer end()
		send(m, "open", "open", "open", "open")
		if now, _ := m.State("gate"); now.Label != "" || now.Problem == "" || strings.Contains(now.Problem, "/var/lib") {
			t.Errorf("%+v", now)
		}
		w.mu.Lock()
		w.fail = nil
		w.mu.Unlock()
		send(m, "open")
		if label(t, m) != "open" || len(w.changes) != 1 {
			t.Errorf("%q, %d changes", label(t, m), len(w.changes))
		}
	})
}

// Specs come and go while it runs; what is forgotten is unknown.
func TestApplyAndForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{stored: map[string]edgelens.State{}}
		m, end := w.follow(t, "gate device=cam1 model=g")
		defer end()
		send(m, "open", "open", "open")
		m.Apply(nil)
		synctest.Wait()
		if _, err := m.State("gate"); !errors.Is(err, edgelens.ErrNotFound) || len(w.hidden) != 1 {
			t.Errorf("%v, hidden %v", err, w.hidden)
		}
		specs, err := state.ParseSpecs("gate device=cam1 model=other")
		if err != nil {
			t.Fatal(err)
		}
		m.Apply(specs)
		if label(t, m) != "open" {
			t.Error("a state that is back is unknown")
		}
		m.Forget(func(s edgelens.State) bool { return s.Device == "cam1" })
		if label(t, m) != "" {
			t.Error("it is not forgotten")
		}
		if _, _, err := m.Observe(t.Context(), "shed", state.Image{Bytes: []byte("x")}); !errors.Is(err, edgelens.ErrNotFound) {
			t.Error(err)
		}
	})
}

// A clock that was wrong holds up no state once it is right, and the age of what came by it is not known.
func TestClockIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{stored: map[string]edgelens.State{"gate": {Name: "gate", Device: "cam1", Label: "closed", ImageAt: time.Now().Add(24 * time.Hour)}}}
		m, end := w.follow(t, "gate device=cam1 model=g")
		defer end()
		if now, _ := m.State("gate"); !now.Stale || now.Label != "closed" {
			t.Errorf("by the wrong clock: %+v", now)
		}
		send(m, "open", "open", "open")
		if now, _ := m.State("gate"); now.Stale || now.Label != "open" || now.ImageAt.After(time.Now()) {
			t.Errorf("by the right one: %+v", now)
		}
	})
}

// While answers are stored, a change waits: the state from before it never replaces the one after it.
func TestStoringIsOrdered(t *testing.T) {
	var observe, observed = make(chan struct{}), make(chan struct{})
	w := &world{stored: map[string]edgelens.State{}, saving: sync.OnceFunc(func() {
		close(observe)
		select {
		case <-observed: // only where it does not wait
		case <-time.After(100 * time.Millisecond):
		}
	})}
	m, end := w.follow(t, "gate model=g")
	open := func() {
		if _, _, err := m.Observe(t.Context(), "gate", state.Image{Bytes: []byte("open"), At: time.Now()}); err != nil {
			t.Error(err)
		}
	}
	open()
	open()
	ended := make(chan struct{})
	go func() {
		end() // which stores the answers
		close(ended)
	}()
	<-observe
	open()
	close(observed)
	<-ended
	if label(t, m) != "open" || w.stored["gate"].Label != "open" {
		t.Errorf("the state is %q, and %q is stored", label(t, m), w.stored["gate"].Label)
	}
}

// An answer about an image from before an erasure does not count, and one that waits is not recognized.
func TestForgetDropsImages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{stored: map[string]edgelens.State{}, hold: make(chan struct{})}
		m, end := w.follow(t, "gate device=cam1 model=g count=1")
		send(m, "open", "open")
		m.Forget(func(edgelens.State) bool { return true })
		close(w.hold)
		synctest.Wait()
		if now, _ := m.State("gate"); now.Label != "" || len(now.Answers) != 0 || len(w.changes) != 0 || len(w.requests) != 1 {
			t.Errorf("after %d requests: %+v, changes %v", len(w.requests), now, w.changes)
		}
		send(m, "open")
		if label(t, m) != "open" {
			t.Error("the images after it do not count")
		}
		m.Forget(func(edgelens.State) bool { return true })
		end()
		if s, known := w.stored["gate"]; !known || s.Label != "" || len(s.Answers) != 0 || !s.ImageAt.IsZero() {
			t.Errorf("stored is %+v", s)
		}
	})
}

// What is retained of a state that never had an image is withdrawn, too, once the state was removed from the setting.
func TestRemovedStateWithoutImages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{stored: map[string]edgelens.State{}}
		_, end := w.follow(t, "gate device=cam1 model=g")
		synctest.Wait()
		end()
		_, end = w.follow(t, "yard device=cam1 model=g")
		synctest.Wait()
		end()
		if len(w.hidden) != 1 || w.hidden[0] != "gate" {
			t.Errorf("hidden are %q", w.hidden)
		}
	})
}
