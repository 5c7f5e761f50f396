// Package clocks reads the wall clock together with a monotonic one: where they part, the wall clock was set, as NTP
// does on a machine without a battery, or the machine was suspended.
package clocks

import "time"

// Reading is one reading of both clocks.
type Reading struct {
	// Wall is the time of day, without a monotonic part. A Pi without a battery boots in 1970, until NTP corrects it.
	Wall time.Time
	// Monotonic grows evenly while the process lives and the machine is not suspended.
	Monotonic time.Duration
}

// Clock reads both clocks at once. It is safe for use by many goroutines.
type Clock func() Reading

// System returns the clock of this process, whose monotonic readings count from now.
func System() Clock {
	start := time.Now()
	return func() Reading {
		now := time.Now()
		return Reading{Wall: now.Round(0), Monotonic: now.Sub(start)}
	}
}

// JumpTo returns how far the wall clock has jumped until a later reading: forward where that is positive. It is 0 where
// the clocks have parted by less than the threshold, which must exceed what they drift apart between two readings, and
// be less than what matters to the caller.
func (r Reading) JumpTo(later Reading, threshold time.Duration) time.Duration {
	jump := later.Wall.Sub(r.Wall) - (later.Monotonic - r.Monotonic)
	if jump.Abs() < threshold {
		return 0
	}
	return jump
}
