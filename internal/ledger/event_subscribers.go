package ledger

import "sync"

// subscribers are the callers that wait for events.
type subscribers struct {
	mu     sync.Mutex
	closed bool
	wakes  map[chan struct{}]struct{}
}

func newSubscribers() *subscribers { return &subscribers{wakes: map[chan struct{}]struct{}{}} }

// subscribe returns a channel that holds a token whenever there are new events since the last token was taken; close
// closes it.
func (s *subscribers) subscribe() (wake <-chan struct{}, cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{}, 1)
	if s.closed {
		close(c)
		return c, func() {}
	}
	s.wakes[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.wakes, c)
	}
}

// wake puts a token into every subscriber's channel that has none.
func (s *subscribers) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.wakes {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (s *subscribers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.wakes {
		close(c)
		delete(s.wakes, c)
	}
}
