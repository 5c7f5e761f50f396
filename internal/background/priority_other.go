//go:build !linux

package background

// Yield does nothing: a priority is that of the whole process here.
func Yield() error { return nil }

// YieldToAll does nothing.
func YieldToAll() error { return nil }

// onLowPriorityThread runs f.
func onLowPriorityThread(f func()) { f() }

func onLowPriority() bool { return false }
