package background_test

import (
	"runtime"
	"syscall"
	"testing"

	"edgelens/internal/background"
)

// nice is the nice value of the thread that asks.
func nice(t *testing.T) int {
	t.Helper()
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // the system call gives 20 - nice
	if err != nil {
		t.Fatal(err)
	}
	return 20 - raw
}

func TestRunLowersThePriority(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	usual := nice(t)
	for name, test := range map[string]struct {
		background bool
		lower      bool
	}{"in the background": {true, true}, "not": {false, false}} {
		within, calls := 0, 0
		background.Run(test.background, func() { within = nice(t); calls++ })
		if lower := within > usual; lower != test.lower || calls != 1 {
			t.Errorf("%s: %d calls, nice value %d within and %d outside", name, calls, within, usual)
		}
		if after := nice(t); after != usual {
			t.Errorf("%s: the caller's nice value is %d, and was %d", name, after, usual)
		}
	}
	defer func() {
		if recover() != "a bug" {
			t.Error("the panic is gone")
		}
	}()
	background.Run(true, func() { panic("a bug") })
}
