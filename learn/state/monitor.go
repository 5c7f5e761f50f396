// Package state keeps what the images of a place show, such as whether a gate is open: each new image is cropped and
// recognized by one model, and several equal answers in a row change the state. What is published is the change.
// docs/adr/0057-states.md has the design and its reasons.
package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/loglimit"
	"edgelens/internal/uuid7"
)

// Parts are the dependencies of a Monitor.
type Parts struct {
	Recognizer edgelens.Recognizer
	Store      Store
	Log        *slog.Logger
	Registerer prometheus.Registerer
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Store keeps states; the ledger is one. It is safe for use by many goroutines.
type Store interface {
	// States returns the stored states.
	States(ctx context.Context) ([]edgelens.State, error)
	// SaveStates stores states as they are.
	SaveStates(ctx context.Context, states ...edgelens.State) error
	// RecordChange stores a change with its event and its entries in the outbox, and the state as it then is: all or, with
	// an error, nothing.
	RecordChange(ctx context.Context, change edgelens.StateChange, now edgelens.State) error
}

// Image is an image that shows states, as a source passes it on.
type Image struct {
	// Device took it, and Record is the record that it is of; empty for none.
	Device, Record string
	Bytes          []byte
	SHA256         [32]byte
	// At is when it was taken, by the device's clock where that is proved to be right, else when it arrived.
	At time.Time
}

const (
	// recognizeTimeout limits the recognition of an image that no client waits for.
	recognizeTimeout = time.Minute
	// storeTimeout limits one change of the store.
	storeTimeout = 10 * time.Second
	// saveInterval is how often answers that change nothing are stored.
	saveInterval = 10 * time.Second
	// staleInterval is how often it is looked whether a state is stale.
	staleInterval = time.Second
)

// Monitor follows states. It is safe for use by many goroutines.
type Monitor struct {
	parts   Parts
	now     func() time.Time
	limiter loglimit.Limiter
	metrics *metrics
	// wanted holds a token where an image waits.
	wanted chan struct{}
	// storing is held while states are stored, and until they are so in memory, too: an older form of one never replaces a
	// newer one. It is locked after tracked.feeding, and before mu.
	storing sync.Mutex

	mu      sync.Mutex
	tracked []*tracked // in the order of the setting
	// restored are the states of earlier runs whose specs may come back.
	restored map[string]edgelens.State
	// turn is the state that is looked at next for an image that waits.
	turn  int
	shown map[string]shownState
	// hidden are the names of states that are gone, and were passed on as such.
	hidden map[string]bool
}

// shownState is what was passed on of a state.
type shownState struct {
	label string
	since time.Time
	stale bool
}

// tracked is one state. Its fields are protected by Monitor.mu, but for feeding.
type tracked struct {
	spec Spec
	// feeding is held while an answer is taken and stored, so that they are taken one by one.
	feeding sync.Mutex
	machine machine
	model   edgelens.ModelRef
	waiting *Image // the latest image that waits; nil for none
	// takenAt is when the last image was taken up.
	takenAt time.Time
	problem string
	// dirty is true for a state that is not stored as it is.
	dirty bool
	gone  bool
	// erasures counts the calls of Forget.
	erasures int
}

// New returns a Monitor of the configured states, as they were stored. The error is that of config.Validate, or of the store.
func New(ctx context.Context, config Config, parts Parts) (*Monitor, error) {
	specs, err := ParseSpecs(config.List)
	if err != nil {
		return nil, fmt.Errorf("set up the states: %w: list: %w", edgelens.ErrInvalid, err)
	}
	stored, err := parts.Store.States(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up the states: %w", err)
	}
	m := &Monitor{parts: parts, now: parts.Now, wanted: make(chan struct{}, 1), restored: map[string]edgelens.State{}, shown: map[string]shownState{}, hidden: map[string]bool{}}
	if m.now == nil {
		m.now = time.Now
	}
	for _, one := range stored {
		m.restored[one.Name] = one
	}
	m.metrics = newMetrics(parts.Registerer, m)
	m.Apply(specs)
	return m, nil
}

// Apply replaces the specs. What is known of a state that has the device it had is kept.
func (m *Monitor) Apply(specs []Spec) {
	m.mu.Lock()
	defer m.mu.Unlock()
	former := m.tracked
	m.tracked, m.turn = nil, 0
	for _, spec := range specs {
		m.tracked = append(m.tracked, m.track(former, spec))
	}
	for _, old := range former {
		if m.find(old.spec.Name) != old {
			m.restored[old.spec.Name] = old.state(m.now())
			old.waiting, old.gone = nil, true
		}
	}
	select {
	case m.wanted <- struct{}{}:
	default:
	}
}

// track returns the state of a spec: a former one, one of an earlier run, or a new one. m.mu is held.
func (m *Monitor) track(former []*tracked, spec Spec) *tracked {
	for _, old := range former {
		if old.spec.Name == spec.Name && old.spec.Device == spec.Device {
			if old.spec.Model != spec.Model || old.spec.View != spec.View {
				old.machine.pending, old.machine.count = "", 0
			}
			old.spec = spec
			return old
		}
	}
	stored, known := m.restored[spec.Name]
	// A new one is stored, so that what is published of it is withdrawn after it was removed from the setting.
	t := &tracked{spec: spec, dirty: !known}
	if known && stored.Device == spec.Device {
		t.machine = machine{label: stored.Label, since: stored.Since, confidence: stored.Confidence, imageAt: stored.ImageAt, receivedAt: stored.ImageAt, answers: stored.Answers}
	}
	return t
}

// find returns a state by name; nil for none. m.mu is held.
func (m *Monitor) find(name string) *tracked {
	for _, t := range m.tracked {
		if t.spec.Name == name {
			return t
		}
	}
	return nil
}

// Offer passes on an image of a device, for the states of that device. It never waits: of the images of a state that wait,
// the latest stays.
func (m *Monitor) Offer(image Image) {
	if image.Device == "" || len(image.Bytes) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tracked {
		if t.spec.Device == image.Device {
			m.offer(t, image)
		}
	}
}

// Refuse counts an image of a device that must not change a state: the device has states, and the image is no news.
func (m *Monitor) Refuse(device string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tracked {
		if t.spec.Device == device {
			m.metrics.skip(skipNotFresh)
		}
	}
}

func (m *Monitor) offer(t *tracked, image Image) {
	now := m.now()
	switch {
	case t.waiting != nil && !image.At.After(t.waiting.At), !t.machine.isNewer(image.At, now):
		m.metrics.skip(skipOld)
		return
	case t.waiting == nil && t.machine.pending == "" && now.Sub(t.takenAt) < t.spec.Every && !now.Before(t.takenAt):
		m.metrics.skip(skipTooSoon)
		return
	case t.waiting != nil:
		m.metrics.skip(skipSuperseded)
	}
	t.waiting, t.takenAt = &image, now
	select {
	case m.wanted <- struct{}{}:
	default:
	}
}

// Run recognizes the images that wait, one at a time, until ctx ends, and passes each state on as it changes or gets stale,
// from the present one on; also the names of states that are gone. show must not wait.
func (m *Monitor) Run(ctx context.Context, show func(edgelens.State), hide func(name string)) {
	stale, save := time.NewTicker(staleInterval), time.NewTicker(saveInterval)
	defer stale.Stop()
	defer save.Stop()
	defer m.save(context.WithoutCancel(ctx))
	for {
		m.show(show, hide)
		select {
		case <-m.wanted:
			m.recognizeWaiting(ctx, func() { m.show(show, hide) })
		case <-stale.C:
		case <-save.C:
			m.save(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// recognizeWaiting recognizes the images that wait, of each state in turn.
func (m *Monitor) recognizeWaiting(ctx context.Context, after func()) {
	for ctx.Err() == nil {
		t, image := m.next()
		if t == nil {
			return
		}
		limited, cancel := context.WithTimeout(ctx, recognizeTimeout)
		_, err := m.recognize(limited, t, *image, edgelens.PriorityBulk)
		cancel()
		if err != nil && ctx.Err() == nil {
			m.metrics.skip(skipFailed)
			if suppressed, ok := m.limiter.Pass(t.spec.Name, m.now()); ok {
				m.parts.Log.Warn("an image of a state is not recognized", "event", "state_image", "state", t.spec.Name, "suppressed", suppressed, "error", err)
			}
		}
		after()
	}
}

// next takes the image that waits of the state whose turn it is; nil for none.
func (m *Monitor) next() (*tracked, *Image) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.tracked {
		at := (m.turn + i) % len(m.tracked)
		if t := m.tracked[at]; t.waiting != nil {
			image := t.waiting
			t.waiting, m.turn = nil, (at+1)%len(m.tracked)
			return t, image
		}
	}
	return nil, nil
}

// Observe recognizes an image for a state while a client waits, whatever device took it, and returns the answer and the
// state as it then is. Errors: edgelens.ErrNotFound for an unknown state, those of the recognition and of the store.
func (m *Monitor) Observe(ctx context.Context, name string, image Image) (edgelens.StateAnswer, edgelens.State, error) {
	m.mu.Lock()
	t := m.find(name)
	m.mu.Unlock()
	if t == nil {
		return edgelens.StateAnswer{}, edgelens.State{}, unknownState(name)
	}
	answer, err := m.recognize(ctx, t, image, edgelens.PrioritySynchronous)
	if err != nil {
		return edgelens.StateAnswer{}, edgelens.State{}, fmt.Errorf("recognize an image of the state %s: %w", name, err)
	}
	now, err := m.State(name)
	return answer, now, err
}

func unknownState(name string) error {
	return fmt.Errorf("%w: there is no state %.64q; the setting states.list has them", edgelens.ErrNotFound, name)
}

// recognize recognizes an image for a state, and takes the answer.
func (m *Monitor) recognize(ctx context.Context, t *tracked, image Image, priority edgelens.Priority) (edgelens.StateAnswer, error) {
	m.mu.Lock()
	spec, erasures := t.spec, t.erasures
	m.mu.Unlock()
	result, err := m.parts.Recognizer.Recognize(ctx, &edgelens.Request{
		ID: uuid7.New(m.now()), Source: sourceOf(image), Device: image.Device, Record: image.Record, Image: image.Bytes, SHA256: image.SHA256,
		Task: edgelens.TaskClassification, Model: spec.Model, TopK: 1, View: spec.View, Priority: priority,
	})
	if err == nil && (result.StandIn || len(result.Predictions) == 0) {
		err = fmt.Errorf("%w: the model %s gave no answer", edgelens.ErrModel, spec.Model)
	}
	if err != nil {
		m.note(t, err)
		return edgelens.StateAnswer{}, err
	}
	return m.feed(ctx, t, spec, erasures, result, image)
}

// sourceOf names the source of an image.
func sourceOf(image Image) string {
	if image.Record != "" {
		return "mqtt"
	}
	return "http"
}

// note keeps why an image was not recognized.
func (m *Monitor) note(t *tracked, err error) {
	problem := err.Error()
	for _, ours := range []error{edgelens.ErrDiskFull, edgelens.ErrStorage} {
		if errors.Is(err, ours) { // clients need no paths of this machine
			problem = "the change cannot be stored: " + ours.Error() + "; the log has the reason"
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t.problem = problem
}

// feed has a state take the best answer of a result. A change that cannot be stored does not happen: the next equal answer
// tries again. The answer about an image from before an erasure, of which erasures is the count, does not count.
func (m *Monitor) feed(ctx context.Context, t *tracked, spec Spec, erasures int, result *edgelens.Result, image Image) (edgelens.StateAnswer, error) {
	t.feeding.Lock()
	defer t.feeding.Unlock()
	best := result.Predictions[0]
	m.mu.Lock()
	next, former, erased := t.machine, t.machine.label, t.erasures != erasures
	m.mu.Unlock()
	if erased {
		return edgelens.StateAnswer{}, &edgelens.Busy{RetryAfter: time.Second, Reason: "The state " + spec.Name + " was erased meanwhile. Send another image."}
	}
	now := m.now()
	outcome := next.take(spec, best.Label, best.Probability, image.At, now)
	if outcome == edgelens.StateChanged {
		after := tracked{spec: spec, machine: next, model: result.Model}
		change := edgelens.StateChange{
			ID: uuid7.New(now), Name: spec.Name, Device: spec.Device, Label: next.label, Former: former, Confidence: next.confidence,
			Model: result.Model, ImageAt: image.At, Record: image.Record, At: now,
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		m.storing.Lock()
		defer m.storing.Unlock()
		err := m.parts.Store.RecordChange(limited, change, after.state(now))
		cancel()
		if err != nil {
			m.note(t, err)
			return edgelens.StateAnswer{}, fmt.Errorf("store the change of the state %s: %w", spec.Name, err)
		}
		m.parts.Log.Info("state changed", "event", "state_changed", "state", spec.Name, "label", next.label, "former", former, "probability", next.confidence)
	}
	m.metrics.answer(outcome)
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.gone {
		return next.answers[0], nil
	}
	t.machine, t.model, t.problem = next, result.Model, ""
	t.dirty = outcome != edgelens.StateChanged
	return next.answers[0], nil
}

// state returns the state as it is now.
func (t *tracked) state(now time.Time) edgelens.State {
	k := &t.machine
	return edgelens.State{
		Name: t.spec.Name, Device: t.spec.Device, Model: t.spec.Model, View: t.spec.View, Label: k.label, Since: k.since, Confidence: k.confidence,
		Stale: k.stale(t.spec, now), ImageAt: k.imageAt, Pending: k.pending, Count: k.count, Needed: t.spec.Count,
		Answers: k.answers, Problem: t.problem, On: t.spec.On, Class: t.spec.Class,
	}
}

// States returns every state, in the order of the setting.
func (m *Monitor) States() []edgelens.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]edgelens.State, 0, len(m.tracked))
	for _, t := range m.tracked {
		all = append(all, t.state(m.now()))
	}
	return all
}

// State returns one state; its error is an edgelens.ErrNotFound for an unknown name.
func (m *Monitor) State(name string) (edgelens.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.find(name); t != nil {
		return t.state(m.now()), nil
	}
	return edgelens.State{}, unknownState(name)
}

// Forget makes the states unknown that forgotten selects: what was known of them was erased. Images older than the last one
// still change nothing.
func (m *Monitor) Forget(forgotten func(edgelens.State) bool) {
	m.mu.Lock()
	var chosen []*tracked
	for _, t := range m.tracked {
		if forgotten(t.state(m.now())) {
			chosen = append(chosen, t)
		}
	}
	for name, one := range m.restored {
		if forgotten(one) {
			delete(m.restored, name)
		}
	}
	m.mu.Unlock()
	for _, t := range chosen {
		t.feeding.Lock()
		m.storing.Lock()
		m.mu.Lock()
		t.machine = machine{imageAt: t.machine.imageAt}
		t.problem, t.dirty, t.waiting = "", true, nil
		t.erasures++
		m.mu.Unlock()
		m.storing.Unlock()
		t.feeding.Unlock()
	}
}

// save stores the states that are new, and those with answers that changed nothing. They are stored again later where that fails.
func (m *Monitor) save(ctx context.Context) {
	m.storing.Lock()
	defer m.storing.Unlock()
	m.mu.Lock()
	var changed []edgelens.State
	for _, t := range m.tracked {
		if t.dirty {
			now := t.state(m.now())
			if len(now.Answers) == 0 {
				now.ImageAt = time.Time{} // it was erased
			}
			changed = append(changed, now)
			t.dirty = false
		}
	}
	m.mu.Unlock()
	if len(changed) == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := m.parts.Store.SaveStates(limited, changed...); err != nil && ctx.Err() == nil {
		if suppressed, ok := m.limiter.Pass("save", m.now()); ok {
			m.parts.Log.Warn("storing the states failed, retrying", "event", "state_store", "suppressed", suppressed, "error", err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, one := range changed {
			if t := m.find(one.Name); t != nil {
				t.dirty = true
			}
		}
	}
}

// show passes on what has changed since it was called last.
func (m *Monitor) show(show func(edgelens.State), hide func(name string)) {
	var changed []edgelens.State
	var gone []string
	m.mu.Lock()
	for _, t := range m.tracked {
		now := t.state(m.now())
		delete(m.hidden, now.Name)
		is := shownState{now.Label, now.Since, now.Stale}
		if was, known := m.shown[now.Name]; !known || was != is {
			m.shown[now.Name] = is
			changed = append(changed, now)
		}
	}
	for name := range m.restored {
		if m.find(name) == nil && !m.hidden[name] {
			m.hidden[name] = true
			delete(m.shown, name)
			gone = append(gone, name)
		}
	}
	m.mu.Unlock()
	for _, one := range changed {
		show(one)
	}
	for _, name := range gone {
		hide(name)
	}
}
