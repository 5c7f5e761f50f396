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

func TestTally(t *testing.T) {
	tally := loglimit.Tally{Interval: time.Second}
	for i, step := range []struct {
		after time.Duration
		key   string
		count int
		ok    bool
	}{
		{0, "a", 1, true},
		{0, "b", 1, true},
		{time.Millisecond, "a", 0, false},
		{999 * time.Millisecond, "a", 0, false},
		{time.Second, "a", 3, true},
		{time.Second + 1, "a", 0, false},
		{9 * time.Second, "b", 1, true},
	} {
		if count, ok := tally.Add(step.key, start.Add(step.after)); count != step.count || ok != step.ok {
			t.Errorf("step %d: %d, %v, want %d, %v", i, count, ok, step.count, step.ok)
		}
	}
	if rest := tally.Rest(); len(rest) != 1 || rest["a"] != 1 {
		t.Errorf("the rest is %v, want the one of a", rest)
	}
	if rest := tally.Rest(); len(rest) != 0 {
		t.Errorf("then it is %v", rest)
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
