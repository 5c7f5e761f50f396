package app

import (
	"context"
	"sync"
	"time"
)

const (
	// StopTimeout is how long stopping takes at most, after the drain, but for a part that does not end when it should.
	StopTimeout = 9 * time.Second
	// answerTimeout is the part of it in which requests that wait may still be answered, and responseTimeout that in which
	// clients may still receive responses. The rest is for freeing the parts.
	answerTimeout   = 5 * time.Second
	responseTimeout = 6 * time.Second
	// stopGrace is how much longer systemd waits for the end of the process: the private servers are killed by then.
	stopGrace = 20 * time.Second
)

// drain returns when the service is to stop: a while after stop ends, in which it is not ready and closes connections
// after their next response, so that a load balancer sends no more requests; or at once when a part failed.
func (s *node) drain(stop, serving context.Context) {
	select {
	case <-stop.Done():
	case <-serving.Done():
		s.manager.Stopping(StopTimeout + stopGrace)
		return
	}
	s.manager.Stopping(s.config.StopDrain + StopTimeout + stopGrace)
	if s.config.StopDrain == 0 {
		return
	}
	s.readiness.NotReady("service", "stopping")
	s.server.Drain()
	s.log.Info("draining: /readyz is unavailable, and requests are still served", "duration", s.config.StopDrain)
	timer := time.NewTimer(s.config.StopDrain)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-serving.Done():
	}
}

// stopping is the time limit for stopping, which all parts share. It is safe for use by many goroutines.
type stopping struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
}

// begin starts the time, once.
func (s *stopping) begin() { _ = s.limit() }

// limit returns a context that ends when the time is over; it starts the time.
func (s *stopping) limit() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithTimeout(context.Background(), StopTimeout)
	}
	return s.ctx
}

// end frees it.
func (s *stopping) end() {
	_ = s.limit()
	s.cancel()
}

// CloseWithin closes a part with a time limit.
func CloseWithin(limit time.Duration, end func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return end(ctx)
}
