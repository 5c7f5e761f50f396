package worker

import (
	"log/slog"
	"sync"
	"time"

	"edgelens/internal/loglimit"
)

// availability logs one line when Redis stops serving, one when it serves again, and in between a reminder each
// loglimit.Interval, or at once when the cause changes. It is safe for use by many goroutines.
type availability struct {
	log *slog.Logger
	// lost and back are the messages.
	lost, back string

	limiter loglimit.Limiter // by cause

	mu     sync.Mutex
	cause  string // empty while Redis serves
	since  time.Time
	warned string
}

// warn logs once that a Redis that serves is misconfigured.
func (a *availability) warn(warning string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if warning != "" && warning != a.warned {
		a.log.Warn("Redis is misconfigured", "event", "redis_misconfigured", "reason", warning)
	}
	a.warned = warning
}

// down records that Redis does not serve. cause is a sentence for the operator; outages are distinguished by it.
func (a *availability) down(cause string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.cause == "" {
		a.since = now
	}
	if a.cause != cause {
		a.limiter.Forget(a.cause)
		a.cause = cause
	}
	if _, ok := a.limiter.Pass(cause, now); ok {
		a.log.Error(a.lost, "event", "redis_unreachable", "reason", cause, "error", err)
	}
}

// up records that Redis serves.
func (a *availability) up() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cause == "" {
		return
	}
	a.limiter.Forget(a.cause)
	a.cause = ""
	a.log.Info(a.back, "event", "redis_reachable", "away", time.Since(a.since))
}
