package session

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot returns the uptime of the machine, including suspension.
func sinceBoot() time.Duration {
	var at unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &at) != nil { // before Linux 2.6.39
		return time.Since(processStart)
	}
	return time.Duration(at.Nano())
}
