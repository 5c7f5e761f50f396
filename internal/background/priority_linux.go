package background

import (
	"runtime"
	"syscall"
)

// niceValue of low priority: such a thread gets a tenth of a core that others use, and
// all of an idle one (sched(7)).
const niceValue = 10

// onLowPriorityThread runs f and takes the calling goroutine's thread, which ends with the
// goroutine: without privileges its priority cannot be raised again.
func onLowPriorityThread(f func()) {
	runtime.LockOSThread()
	// On Linux the nice value belongs to the thread, and 0 is the calling one
	// (setpriority(2)). Where the call is refused, f runs at the usual priority.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceValue)
	f()
}

// usual is the nice value of the process.
var usual = nice()

// onLowPriority reports whether the calling thread is one of onLowPriorityThread.
func onLowPriority() bool { return nice() > usual }

// nice returns the nice value of the calling thread; 0 where it is unknown.
func nice() int {
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // the system call gives 20 - nice
	if err != nil {
		return 0
	}
	return 20 - raw
}
