package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"edgelens"
	"edgelens/terminal/session"
)

// topicStates is followed by the name of a state. What a state is now is retained there; its changes, which are events and
// never retained, have a level more.
const (
	topicStates       = "edgelens/v1/states/"
	suffixStateChange = "/changes"
)

// StateTopic is the topic on which what a state is now is retained.
func StateTopic(name string) string { return topicStates + topicLevel(name) }

func stateChangesTopic(name string) string { return StateTopic(name) + suffixStateChange }

// shownState is what is retained about a state: what does not change while the state stays as it is.
type shownState struct {
	Name   string `json:"name"`
	Device string `json:"device,omitempty"`
	// State and Since are null while it is unknown.
	State      *string    `json:"state"`
	Since      *time.Time `json:"since"`
	Confidence float64    `json:"confidence"`
	Stale      bool       `json:"stale"`
}

// states publishes what states are now: only the latest of each waits, so it is bounded by their number. It is safe for use
// by many goroutines.
type states struct {
	downlink *downlink
	// wanted holds a token where something is to be published.
	wanted chan struct{}

	mu sync.Mutex
	// known is what is to be retained, and due are the names of which it is not; a name that is not known is removed.
	known map[string]string
	due   map[string]bool
}

func newStates(downlink *downlink) *states {
	return &states{downlink: downlink, wanted: make(chan struct{}, 1), known: map[string]string{}, due: map[string]bool{}}
}

// set queues what a state is now.
func (s *states) set(name, payload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[name], s.due[name] = payload, true
	wake(s.wanted)
}

// remove queues the removal of what is retained of a state.
func (s *states) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, name)
	s.due[name] = true
	wake(s.wanted)
}

// all queues every state: the broker may have lost them.
func (s *states) all() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.known {
		s.due[name] = true
	}
	wake(s.wanted)
}

// next returns one that is to be published.
func (s *states) next() (name, payload string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.due {
		return name, s.known[name], true
	}
	return "", "", false
}

// published notes that a payload is retained.
func (s *states) published(name, payload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[name] == payload {
		delete(s.due, name)
	}
}

// run publishes what is queued until ctx ends. Without a connection it waits for a call of all.
func (s *states) run(ctx context.Context) {
	var again <-chan time.Time
	for {
		select {
		case <-s.wanted:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		if err := s.publish(ctx); err != nil && !errors.Is(err, session.ErrOffline) {
			again = time.After(availabilityRetry)
		}
	}
}

func (s *states) publish(ctx context.Context) error {
	for {
		name, payload, ok := s.next()
		if !ok {
			return nil
		}
		if err := s.downlink.retain(ctx, StateTopic(name), payload); err != nil {
			return err
		}
		s.published(name, payload)
	}
}

// ShowState has the broker retain what a state is now, in place of what it was.
func (b *Bridge) ShowState(of edgelens.State) {
	shown := shownState{Name: of.Name, Device: of.Device, Confidence: of.Confidence, Stale: of.Stale}
	if of.Label != "" {
		since := of.Since.UTC()
		shown.State, shown.Since = &of.Label, &since
	}
	text, err := json.Marshal(shown)
	if err != nil { // a probability is a number
		b.log.Error("writing a state failed", "event", "state_topic", "state", of.Name, "error", err)
		return
	}
	b.states.set(of.Name, string(text))
}

// HideState has the broker forget a state.
func (b *Bridge) HideState(name string) { b.states.remove(name) }
