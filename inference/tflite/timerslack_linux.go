//go:build cgo

package tflite

// Go's runtime has a thread, sysmon, that looks every 20 microseconds whether a
// goroutine has been in C for long, and ours always have: decoding and Invoke
// take milliseconds. Woken so often, it takes the cores from them 3,000 times a
// second. Linux may delay a thread's sleep by its timer slack (prctl(2)), 50
// microseconds unless told otherwise, and a thread hands its own down to those that
// it starts. sysmon is there before the first line of Go, so it is told here, before
// the runtime begins. Nothing of ours needs timers finer than a millisecond
// (docs/adr/0017-lanes.md has what it brings).

/*
#include <sys/prctl.h>

__attribute__((constructor)) static void coarse_timers(void) {
	prctl(PR_SET_TIMERSLACK, 1000000UL, 0, 0, 0); // refused: as it was
}
*/
import "C"
