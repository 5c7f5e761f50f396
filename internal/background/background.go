// Package background runs work that no client waits for at a lower thread priority, where the operating system supports
// that. It is safe for use by many goroutines.
package background

// Run calls f and returns when f has returned. Where low is set, f runs on a thread of
// low priority. A panic in f panics in Run. f must not change the state of its thread.
func Run(low bool, f func()) {
	if !low {
		f()
		return
	}
	var panicked any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		onLowPriorityThread(f)
	}()
	<-done
	if panicked != nil {
		panic(panicked)
	}
}

// IsLow reports whether the calling goroutine runs on a thread of low priority: within f of
// Run with low set.
func IsLow() bool { return onLowPriority() }
