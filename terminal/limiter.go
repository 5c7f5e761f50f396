package terminal

import (
	"sync"
	"time"
)

// limiter lets one thing a minute pass for each name, and counts the others.
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
	// maxNames bounds the memory; past it all start anew.
	maxNames = 10_000
)

func newLimiter() *limiter { return &limiter{passed: map[string]passed{}} }

// pass reports whether it is time, and how many did not pass since the last.
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
