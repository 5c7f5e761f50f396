// Package backoff computes the waits between attempts. Its functions are safe for use by
// many goroutines.
package backoff

import (
	"math/rand/v2"
	"time"
)

// After returns the wait after that many consecutive failures: from shortest for the first
// one, doubled for each further one, up to longest, with Jitter. Fewer than one failure
// count as one.
func After(failures int, shortest, longest time.Duration) time.Duration {
	wait := min(shortest, longest)
	for ; failures > 1 && wait > 0 && wait < longest; failures-- {
		wait = min(2*wait, longest)
	}
	return Jitter(wait)
}

// Jitter shortens a wait by up to a half at random, so that retries of many do not
// coincide.
func Jitter(wait time.Duration) time.Duration { return wait - rand.N(wait/2+1) }
