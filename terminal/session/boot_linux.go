package session

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot is how long the machine has been up, times of suspension included.
func sinceBoot() time.Duration {
	var at unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &at) != nil { // before Linux 2.6.39
		return time.Since(begun)
	}
	return time.Duration(at.Nano())
}
