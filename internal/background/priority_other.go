//go:build !linux

package background

// onLowPriorityThread runs f: a priority is that of the whole process here.
func onLowPriorityThread(f func()) { f() }

func onLowPriority() bool { return false }
