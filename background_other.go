//go:build !linux

package edgelens

// onLowThread runs f: here a priority is that of the whole process.
func onLowThread(f func()) { f() }
