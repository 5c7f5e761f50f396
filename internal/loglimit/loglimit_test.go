package loglimit_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgelens/internal/loglimit"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestPass(t *testing.T) {
	var l loglimit.Limiter
	for i, step := range []struct {
		after      time.Duration // since the start
		key        string
		suppressed int
		ok         bool
	}{
		{0, "a", 0, true},
		{0, "b", 0, true}, // another key
		{time.Second, "a", 0, false},
		{loglimit.Interval - 1, "a", 0, false},
		{loglimit.Interval, "a", 2, true},
		{loglimit.Interval + 1, "a", 0, false},
		{loglimit.Interval + 2, "b", 0, true},
		{2 * loglimit.Interval, "a", 1, true},
		{9 * loglimit.Interval, "a", 0, true},
		{8 * loglimit.Interval, "a", 0, false}, // a clock that was set back
	} {
		if suppressed, ok := l.Pass(step.key, start.Add(step.after)); suppressed != step.suppressed || ok != step.ok {
			t.Errorf("step %d, %q after %v: %d, %v, want %d, %v", i, step.key, step.after, suppressed, ok, step.suppressed, step.ok)
		}
	}
}

func TestForget(t *testing.T) {
	var l loglimit.Limiter
	l.Forget("a") // unknown
	l.Pass("a", start)
	l.Pass("a", start)
	l.Pass("b", start)
	l.Forget("a")
	if suppressed, ok := l.Pass("a", start); suppressed != 0 || !ok {
		t.Errorf("a forgotten key: %d, %v", suppressed, ok)
	}
	if _, ok := l.Pass("b", start); ok {
		t.Error("another key was forgotten, too")
	}
}

// Any client may invent keys: their number is bounded.
func TestManyKeys(t *testing.T) {
	var l loglimit.Limiter
	for n := range 10_000 {
		l.Pass(fmt.Sprint(n), start)
	}
	if _, ok := l.Pass("0", start); ok {
		t.Error("the first key was forgotten at the maximum")
	}
	l.Pass("one more", start)
	if _, ok := l.Pass("0", start); !ok {
		t.Error("the first key was kept beyond the maximum")
	}
}

func TestPassConcurrently(t *testing.T) {
	var l loglimit.Limiter
	var passed, suppressed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if _, ok := l.Pass("a", start); ok {
					passed.Add(1)
				} else {
					suppressed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if counted, ok := l.Pass("a", start.Add(loglimit.Interval)); passed.Load() != 1 || int64(counted) != suppressed.Load() || !ok {
		t.Errorf("%d passed, %d of %d suppressed are counted", passed.Load(), counted, suppressed.Load())
	}
}

func TestEveryReplacesInterval(t *testing.T) {
	now, limiter := time.Now(), loglimit.Limiter{Every: time.Second}
	for _, step := range []struct {
		after      time.Duration
		suppressed int
		passes     bool
	}{{0, 0, true}, {0, 0, false}, {time.Second - 1, 0, false}, {time.Second, 2, true}} {
		if suppressed, passes := limiter.Pass("key", now.Add(step.after)); passes != step.passes || suppressed != step.suppressed {
			t.Errorf("after %v: passes %v with %d suppressed, want %v with %d", step.after, passes, suppressed, step.passes, step.suppressed)
		}
	}
}
