package background_test

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"edgelens/internal/background"
)

// The thread that yields has long time slices, and the priority that it had.
func TestYield(t *testing.T) {
	done := make(chan *unix.SchedAttr)
	var before *unix.SchedAttr
	go func() {
		runtime.LockOSThread() // it ends with the goroutine
		before, _ = unix.SchedGetAttr(0, 0)
		if err := background.Yield(); err != nil {
			t.Error(err)
		}
		after, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Error(err)
		}
		done <- after
	}()
	after := <-done
	if before == nil || after == nil {
		t.Fatal("the scheduling of the thread cannot be read")
	}
	if after.Policy != before.Policy || after.Nice != before.Nice {
		t.Errorf("policy %d and nice value %d, and %d and %d before", after.Policy, after.Nice, before.Policy, before.Nice)
	}
	if before.Runtime == 0 {
		t.Skip("this kernel has no time slices of threads")
	}
	if after.Runtime < uint64(20*time.Millisecond) || after.Runtime <= before.Runtime {
		t.Errorf("its time slice is %v, and was %v", time.Duration(after.Runtime), time.Duration(before.Runtime))
	}
}
