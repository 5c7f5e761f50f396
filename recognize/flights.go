package recognize

import (
	"slices"
	"sync"
	"time"

	"edgelens"
)

// flights are the recognitions that are queued or in progress, so that simultaneous
// identical requests share one. It is safe for concurrent use.
type flights struct {
	admission *admission

	mu sync.Mutex
	// byKey has those that any request may join, by the key of their question.
	byKey map[string]*flight
	// inBackground has those that run at a low thread priority beside one of byKey:
	// only bulk work may wait for them.
	inBackground map[string]*flight
}

// flight is one recognition and those who wait for it.
type flight struct {
	key    string
	begun  time.Time
	ticket *ticket
	// abandoned is closed where its last caller left while it waited: it will not be
	// done.
	abandoned chan struct{}
	// done is closed once result and err are set.
	done   chan struct{}
	result *edgelens.Result
	err    error
	// callers are those who wait for it.
	callers []*urgency
}

func newFlights(a *admission) *flights {
	return &flights{admission: a, byKey: map[string]*flight{}, inBackground: map[string]*flight{}}
}

// join returns the flight of a question, whose image takes that many bytes to decode, for one
// more caller, who must leave it. isNew is true where the caller has to start it.
func (s *flights) join(key string, what kind, bytes int64, caller *urgency) (f *flight, isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f = s.known(key, caller.priority); f != nil && s.admission.shareable(f.ticket, caller.priority) {
		f.callers = append(f.callers, caller)
		s.admission.change(f.ticket, f.urgency())
		return f, false
	}
	f = &flight{key: key, begun: time.Now(), callers: []*urgency{caller}, abandoned: make(chan struct{}), done: make(chan struct{})}
	f.ticket = s.admission.enter(what, bytes, *caller)
	if alone := s.byKey[key]; alone != nil { // bulk work may still join it
		s.inBackground[key] = alone
	}
	s.byKey[key] = f
	return f, true
}

// known returns the flight that a request might join, or nil.
func (s *flights) known(key string, priority edgelens.Priority) *flight {
	if f := s.byKey[key]; f != nil || priority != edgelens.PriorityBulk {
		return f
	}
	return s.inBackground[key]
}

// leave is called by each caller of join. The last one of a flight that waits abandons it.
func (s *flights) leave(f *flight, caller *urgency) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.callers = slices.DeleteFunc(f.callers, func(c *urgency) bool { return c == caller })
	switch {
	case len(f.callers) > 0:
		s.admission.change(f.ticket, f.urgency())
	case s.admission.withdraw(f.ticket):
		s.forget(f)
		close(f.abandoned)
	}
}

// end publishes the outcome of f, which is set.
func (s *flights) end(f *flight) {
	s.mu.Lock()
	s.forget(f)
	s.mu.Unlock()
	close(f.done)
}

// forget must be called with the lock held.
func (s *flights) forget(f *flight) {
	for _, known := range []map[string]*flight{s.byKey, s.inBackground} {
		if known[f.key] == f {
			delete(known, f.key)
		}
	}
}

// urgency is that of the most urgent caller, and as patient as the most patient one.
func (f *flight) urgency() urgency {
	u := *f.callers[0]
	for _, c := range f.callers[1:] {
		if r := rank(c.priority) - rank(u.priority); r < 0 || r == 0 && c.since.Before(u.since) {
			u.priority, u.since = c.priority, c.since
		}
		if c.due.After(u.due) {
			u.due = c.due
		}
	}
	return u
}
