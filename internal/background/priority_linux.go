package background

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How much higher the nice values of threads are than that of the process (sched(7)). Beside one other thread, one that
// yields gets a quarter of a core, and one of low priority a thirtieth, or a tenth beside one that yields.
const (
	yielding = 5
	low      = 15
)

// Long time slices let threads with shorter ones that become runnable go first, if they have had no more than their share
// (sched_setattr(2); Linux 6.12 and later, without an effect on others). Usual ones are about 3 ms, and the kernel bounds
// them by 100 ms. No run of a model outlasts yieldingSlice often.
const yieldingSlice, lowSlice = 50 * time.Millisecond, 100 * time.Millisecond

// Yield lets the calling thread, to which its goroutine must be locked, make way for any other one: it is for threads that
// compute for milliseconds, beside which others need one for microseconds. It cannot be undone. The error means that it
// was not allowed.
func Yield() error { return reschedule(yielding, yieldingSlice) }

// YieldToAll is Yield for work that no client waits for: its thread makes way for those that yield, too.
func YieldToAll() error { return reschedule(low, lowSlice) }

// reschedule sets both on their own: where a sandbox refuses sched_setattr, the nice value stays.
func reschedule(nicer int, slice time.Duration) error {
	return errors.Join(raiseNice(min(usual+nicer, maxNice)), lengthenSlices(slice))
}

func raiseNice(value int) error {
	if nice() >= value {
		return nil
	}
	// On Linux the nice value belongs to the thread, and 0 is the calling one (setpriority(2)).
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, value); err != nil {
		return fmt.Errorf("raise the nice value of the thread: %w", err)
	}
	return nil
}

func lengthenSlices(slice time.Duration) error {
	attributes, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return fmt.Errorf("read the scheduling of the thread: %w", err)
	}
	attributes.Runtime = max(attributes.Runtime, uint64(slice))
	if err := unix.SchedSetAttr(0, attributes, 0); err != nil {
		return fmt.Errorf("give the thread long time slices: %w", err)
	}
	return nil
}

// onLowPriorityThread runs f and takes the calling goroutine's thread, which ends with the
// goroutine: without privileges its priority cannot be raised again.
func onLowPriorityThread(f func()) {
	runtime.LockOSThread()
	_ = YieldToAll() // where it is refused, f runs at the usual priority
	f()
}

// maxNice is the highest nice value.
const maxNice = 19

// usual is the nice value of the process.
var usual = nice()

// onLowPriority reports whether the calling thread is one of onLowPriorityThread.
func onLowPriority() bool { return nice() > min(usual+yielding, maxNice) }

// nice returns the nice value of the calling thread; 0 where it is unknown.
func nice() int {
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // the system call gives 20 - nice
	if err != nil {
		return 0
	}
	return 20 - raw
}
