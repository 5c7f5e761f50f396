package worker

import (
	"log/slog"
	"sync"
	"time"
)

// reminder is how often the log repeats that Redis does not serve.
const reminder = time.Minute

// availability logs one line when Redis stops serving, one when it serves again,
// and between the two a reminder every minute, or at once where the cause becomes
// another. It is safe for use by many goroutines.
type availability struct {
	log *slog.Logger
	// lost and back are the lines.
	lost, back string

	mu     sync.Mutex
	cause  string // empty while Redis serves
	logged time.Time
	since  time.Time
	warned string
}

// warn logs what is wrong with a Redis that serves, once.
func (a *availability) warn(warning string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if warning != "" && warning != a.warned {
		a.log.Warn("Redis serves, but not as it should", "reason", warning)
	}
	a.warned = warning
}

// down notes that Redis does not serve and why: cause is a sentence for the
// operator, by which one outage is told from another.
func (a *availability) down(cause string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.cause == "" {
		a.since = now
	}
	if a.cause == cause && now.Sub(a.logged) < reminder {
		return
	}
	a.cause, a.logged = cause, now
	a.log.Error(a.lost, "reason", cause, "error", err)
}

// up notes that Redis serves.
func (a *availability) up() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cause == "" {
		return
	}
	a.cause = ""
	a.log.Info(a.back, "away", time.Since(a.since).Round(time.Millisecond))
}
