package background_test

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"edgelens/internal/background"
)

// onThread runs f on a thread of its own, which ends with it.
func onThread(t *testing.T, f func()) {
	t.Helper()
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
}

func scheduling(t *testing.T) *unix.SchedAttr {
	t.Helper()
	attributes, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Error(err)
		return &unix.SchedAttr{}
	}
	return attributes
}

// Threads that yield have a higher nice value and longer time slices than usual ones, those of work that no client waits
// for the highest and longest, and only these are of low priority.
func TestYield(t *testing.T) {
	usual := scheduling(t)
	attributes := map[bool]*unix.SchedAttr{}
	for toAll, yield := range map[bool]func() error{false: background.Yield, true: background.YieldToAll} {
		onThread(t, func() {
			if err := yield(); err != nil {
				t.Error(err)
			}
			attributes[toAll] = scheduling(t)
			if low := background.IsLow(); low != toAll {
				t.Errorf("yields to all: %v, of low priority: %v", toAll, low)
			}
		})
	}
	some, all := attributes[false], attributes[true]
	if some.Policy != usual.Policy || all.Policy != usual.Policy {
		t.Errorf("policies %d and %d, and %d before", some.Policy, all.Policy, usual.Policy)
	}
	if some.Nice <= usual.Nice || all.Nice <= some.Nice {
		t.Errorf("nice values %d and %d, and %d before", some.Nice, all.Nice, usual.Nice)
	}
	if usual.Runtime == 0 {
		t.Skip("this kernel has no time slices of threads")
	}
	if some.Runtime < uint64(20*time.Millisecond) || some.Runtime <= usual.Runtime || all.Runtime <= some.Runtime {
		t.Errorf("time slices %v and %v, and %v before", time.Duration(some.Runtime), time.Duration(all.Runtime), time.Duration(usual.Runtime))
	}
}

// Yielding never raises a priority.
func TestYieldAfterYieldToAll(t *testing.T) {
	onThread(t, func() {
		if err := background.YieldToAll(); err != nil {
			t.Error(err)
		}
		before := scheduling(t)
		if err := background.Yield(); err != nil {
			t.Error(err)
		}
		if after := scheduling(t); after.Nice != before.Nice || after.Runtime != before.Runtime {
			t.Errorf("the nice value was %d and is %d; the time slice was %d and is %d ns", before.Nice, after.Nice, before.Runtime, after.Runtime)
		}
	})
}
