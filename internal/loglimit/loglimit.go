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

// Tally counts what may happen thousands of times a second, by a few keys, and passes one
// line of each per Interval, with the number since the last one. It is safe for use by many
// goroutines.
type Tally struct {
	// Interval is the time between two lines of one key.
	Interval time.Duration

	mu   sync.Mutex
	keys map[string]tallied
}

// tallied is what was counted of a key since its last line.
type tallied struct {
	at    time.Time
	count int
}

// Add counts one of the key, and reports whether a line may be logged now, with how many it
// stands for.
func (t *Tally) Add(key string, now time.Time) (count int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = map[string]tallied{}
	}
	k, known := t.keys[key]
	k.count++
	if known && now.Sub(k.at) < t.Interval {
		t.keys[key] = k
		return 0, false
	}
	t.keys[key] = tallied{at: now}
	return k.count, true
}

// Rest returns what was counted by key and is in no line yet, for a last one.
func (t *Tally) Rest() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := map[string]int{}
	for key, k := range t.keys {
		if k.count > 0 {
			rest[key] = k.count
			t.keys[key] = tallied{at: k.at}
		}
	}
	return rest
}
