package testutil

import (
	"testing"
	"time"
)

const (
	// eventuallyTimeout bounds how long a condition may take before the test fails. A test that passes never waits that long, so it
	// is ample: a machine that also does other work is slow.
	eventuallyTimeout = time.Minute
	pollInterval      = 2 * time.Millisecond
)

// Eventually waits until the condition is true, and fails the test if it is not within a minute. What names the condition
// in the failure's message ("the broker is restarted"). It is for the test's own goroutine.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(eventuallyTimeout); !condition(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out after %v waiting for: %s", eventuallyTimeout, what)
		}
	}
}
