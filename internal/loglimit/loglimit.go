// Package loglimit limits how often a log repeats a line.
package loglimit

import (
	"cmp"
	"sync"
	"time"
)

// Interval is the usual time between two lines of one key.
const Interval = time.Minute

// maxKeys bounds the memory of a Limiter; beyond it all keys are forgotten.
const maxKeys = 10_000

// Limiter passes one line of each key per Every, and counts the suppressed ones. The zero
// Limiter has passed none. It is safe for use by many goroutines.
type Limiter struct {
	// Every is the time between two lines of one key; 0 means Interval.
	Every time.Duration

	mu     sync.Mutex
	passed map[string]passed
}

// passed is the last line of a key.
type passed struct {
	at         time.Time
	suppressed int // since then
}

// Pass reports whether a line of the key may be logged now, and how many were suppressed
// since the last one that was.
func (l *Limiter) Pass(key string, now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.passed[key]
	if known && now.Sub(last.at) < cmp.Or(l.Every, Interval) {
		last.suppressed++
		l.passed[key] = last
		return 0, false
	}
	if l.passed == nil {
		l.passed = map[string]passed{}
	}
	if len(l.passed) >= maxKeys {
		clear(l.passed)
	}
	l.passed[key] = passed{at: now}
	return last.suppressed, true
}

// Forget lets the next line of the key pass.
func (l *Limiter) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.passed, key)
}
