package participant

import (
	"runtime"
	"syscall"
)

// background runs do on a thread of its own of the lowest priority, so that it takes what the recognition of images leaves
// over.
func background(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Not unlocked: the thread ends with the goroutine, as its priority cannot be raised again.
		runtime.LockOSThread()
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), 19) // without it, it runs all the same
		do()
	}()
	<-done
}
