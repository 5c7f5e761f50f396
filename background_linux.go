package edgelens

import (
	"runtime"
	"syscall"
)

// backgroundNice is the nice value of what gives way: it gets a tenth of a core
// that somebody else wants, too, and all of one that nobody wants (sched(7)).
const backgroundNice = 10

// onLowThread runs f and takes the calling goroutine's thread, which ends with the
// goroutine: without privileges there is no way back to a higher priority.
func onLowThread(f func()) {
	runtime.LockOSThread()
	// On Linux the nice value is the thread's, and 0 is who asks (setpriority(2)).
	// Where that is refused, f runs as everything does.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, backgroundNice)
	f()
}
