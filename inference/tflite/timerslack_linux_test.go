//go:build cgo

package tflite_test

import (
	"syscall"
	"testing"
)

// prGetTimerSlack is PR_GET_TIMERSLACK of prctl(2); the result is in nanoseconds.
const prGetTimerSlack = 30

// A thread passes its timer slack on to those that it starts, so this one, which
// Go's runtime started, represents all.
func TestTimersAreCoarse(t *testing.T) {
	slack, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prGetTimerSlack, 0, 0)
	if errno != 0 || slack != 1_000_000 {
		t.Errorf("the timer slack is %d ns (%v), want a millisecond", slack, errno)
	}
}
