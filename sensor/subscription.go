package sensor

import (
	"fmt"
	"sync"
	"sync/atomic"

	"edgelens"
)

const (
	// maxFollowed is how many series one subscription may follow, and maxBuffer how many
	// points it may buffer.
	maxFollowed, maxBuffer = 64, 10_000
)

// Subscription delivers what happens from now on. A reader that is too slow loses some, which
// Lost counts.
type Subscription[T any] struct {
	hub    *hub[T]
	topics []string
	c      chan T
	lost   atomic.Int64
	once   sync.Once
}

// C returns the channel, which Close closes, as does the end of Run.
func (s *Subscription[T]) C() <-chan T { return s.c }

// Lost returns how many were lost because the reader was too slow.
func (s *Subscription[T]) Lost() int64 { return s.lost.Load() }

// Close ends the subscription. It may be called more than once.
func (s *Subscription[T]) Close() { s.hub.remove(s) }

// hub delivers to the subscriptions of topics. It is safe for use by many goroutines.
type hub[T any] struct {
	limit  int
	onLost func()

	mu     sync.RWMutex
	topics map[string]map[*Subscription[T]]bool
	count  int
	closed bool
}

func newHub[T any](limit int, onLost func()) *hub[T] {
	return &hub[T]{limit: limit, onLost: onLost, topics: map[string]map[*Subscription[T]]bool{}}
}

// subscribe returns a subscription to topics with a buffer.
func (h *hub[T]) subscribe(topics []string, buffer int) (*Subscription[T], error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("subscribe: %w", edgelens.ErrStopping)
	}
	if h.count >= h.limit {
		return nil, &edgelens.Busy{RetryAfter: busyFor, Reason: fmt.Sprintf("There are %d subscriptions already; close one.", h.limit)}
	}
	s := &Subscription[T]{hub: h, topics: topics, c: make(chan T, min(max(1, buffer), maxBuffer))}
	for _, topic := range topics {
		if h.topics[topic] == nil {
			h.topics[topic] = map[*Subscription[T]]bool{}
		}
		h.topics[topic][s] = true
	}
	h.count++
	return s, nil
}

func (h *hub[T]) remove(s *Subscription[T]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.once.Do(func() {
		for _, topic := range s.topics {
			if delete(h.topics[topic], s); len(h.topics[topic]) == 0 {
				delete(h.topics, topic)
			}
		}
		h.count--
		close(s.c)
	})
}

// send delivers to the subscriptions of a topic, without waiting for any.
func (h *hub[T]) send(topic string, what T) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.topics[topic] {
		select {
		case s.c <- what:
		default:
			s.lost.Add(1)
			h.onLost()
		}
	}
}

// close ends every subscription, and allows no more.
func (h *hub[T]) close() {
	h.mu.Lock()
	h.closed = true
	var all []*Subscription[T]
	for _, subscriptions := range h.topics {
		for s := range subscriptions {
			all = append(all, s)
		}
	}
	h.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
}
