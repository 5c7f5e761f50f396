// Package background marks work that no client waits for, and runs it at a lower thread priority where the operating
// system supports that. Its functions are safe for use by many goroutines.
package background

import "context"

type key struct{}

// With returns a context for work that no client waits for.
func With(ctx context.Context) context.Context {
	return context.WithValue(ctx, key{}, true)
}

// Is reports whether ctx is, or is derived from, a context of With.
func Is(ctx context.Context) bool { return ctx.Value(key{}) != nil }

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
