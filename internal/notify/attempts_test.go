package notify_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"edgelens"
	"edgelens/internal/testutil"
)

// The outbox learns of each attempt that fails, and why.
func TestFailedAttemptsAreNoted(t *testing.T) {
	var tries atomic.Int32
	o, s := newOutbox(), &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error {
		if n := tries.Add(1); n <= 2 {
			return errors.New(fmt.Sprint("refused ", n))
		}
		return nil
	}}
	o.add("s", "door", "a", "b")
	start(t, o, quick(), s)
	testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
	o.mu.Lock()
	defer o.mu.Unlock()
	if fmt.Sprint(o.failed) != "[1 refused 1 1 refused 2]" {
		t.Errorf("noted %q", o.failed)
	}
}
