package backoff_test

import (
	"math"
	"testing"
	"time"

	"edgelens/internal/backoff"
)

func TestAfter(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		failures          int
		shortest, longest time.Duration
		want              time.Duration // before the jitter
	}{
		"none":                      {0, 100 * ms, time.Second, 100 * ms},
		"first":                     {1, 100 * ms, time.Second, 100 * ms},
		"second":                    {2, 100 * ms, time.Second, 200 * ms},
		"fourth":                    {4, 100 * ms, time.Second, 800 * ms},
		"at the limit":              {5, 100 * ms, time.Second, time.Second},
		"far beyond the limit":      {math.MaxInt, 100 * ms, time.Second, time.Second},
		"a limit below the first":   {3, time.Second, 100 * ms, 100 * ms},
		"the longest that there is": {math.MaxInt, time.Hour, 1 << 61, 1 << 61},
		"no wait":                   {3, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[bool]bool{}
			for range 200 {
				got := backoff.After(test.failures, test.shortest, test.longest)
				if got > test.want || got < test.want/2 {
					t.Fatalf("%v, want %v to %v", got, test.want/2, test.want)
				}
				seen[got < test.want*3/4] = true
			}
			if test.want > ms && len(seen) != 2 {
				t.Error("there is no jitter")
			}
		})
	}
}
