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
	// drainTick is how often it is checked whether the drain is over, and noMoreRequests for how long there must have been
	// none: a balancer that is slow to notice, on a busy machine, may still send some.
	drainTick      = 20 * time.Millisecond
	noMoreRequests = 200 * time.Millisecond
	// stopGrace is how much longer systemd waits for the end of the process: the private servers are killed by then.
	stopGrace = 20 * time.Second
)

// drain returns when the service is to stop: a while after stop ends, in which it is not ready and closes connections
// after their next response, so that a load balancer sends no more requests; up to twice as long while it still does, or
// recognitions are under way. Or at once when a part failed.
func (s *node) drain(stop, serving context.Context) {
	select {
	case <-stop.Done():
	case <-serving.Done():
		s.manager.Stopping(StopTimeout + stopGrace)
		return
	}
	s.manager.Stopping(2*s.config.StopDrain + StopTimeout + stopGrace)
	if s.config.StopDrain == 0 {
		return
	}
	s.readiness.NotReady("service", "stopping")
	s.server.Drain()
	s.log.Info("draining: /readyz is unavailable, and requests are still served", "duration", s.config.StopDrain)
	begun := time.Now()
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-serving.Done():
			return
		}
		took := time.Since(begun)
		if took >= s.config.StopDrain && s.server.Drained(noMoreRequests) || took >= 2*s.config.StopDrain {
			return
		}
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
