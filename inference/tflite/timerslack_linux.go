//go:build cgo

package tflite

// Go's runtime has a thread, sysmon, that checks every 20 microseconds whether a
// goroutine has been in C for long, and ours always have: decoding and Invoke
// take milliseconds. So it preempts them 3,000 times a second. Linux may delay a
// thread's sleep by its timer slack (prctl(2)), 50 microseconds by default, and a
// thread passes its own on to those that it starts. sysmon is started before the
// first line of Go, so the slack is set here, before the runtime starts. No timer of
// ours needs to be finer than a millisecond (docs/adr/0017-lanes.md has the effect).

/*
#include <sys/prctl.h>

__attribute__((constructor)) static void coarse_timers(void) {
	prctl(PR_SET_TIMERSLACK, 1000000UL, 0, 0, 0); // no change if refused
}
*/
import "C"
