package terminal

import (
	"sync"
	"time"
)

// limiter passes one event per minute and name, and counts the suppressed ones.
type limiter struct {
	mu     sync.Mutex
	passed map[string]passed
}

type passed struct {
	at         time.Time
	suppressed int
}

const (
	limitInterval = time.Minute
	// maxNames bounds the memory; beyond it all names are forgotten.
	maxNames = 10_000
)

func newLimiter() *limiter { return &limiter{passed: map[string]passed{}} }

// pass reports whether an event may pass, and how many were suppressed since the last one.
func (l *limiter) pass(name string, now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.passed[name]
	if known && now.Sub(last.at) < limitInterval {
		last.suppressed++
		l.passed[name] = last
		return 0, false
	}
	if len(l.passed) >= maxNames {
		clear(l.passed)
	}
	l.passed[name] = passed{at: now}
	return last.suppressed, true
}
