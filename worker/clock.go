package worker

import "time"

// jumpAfter is the deviation of the wall clock from the monotonic one that counts as a jump.
const jumpAfter = 2 * time.Second

// reading is one reading of two clocks: the wall clock, which can be set, and the monotonic one.
type reading struct {
	wall      time.Time
	monotonic time.Duration
}

// newClock returns the clocks of this process.
func newClock() func() reading {
	start := time.Now()
	return func() reading {
		now := time.Now()
		return reading{wall: now.Round(0), monotonic: now.Sub(start)}
	}
}

// jumped reports whether the wall clock was set between two readings.
func (r reading) jumped(later reading) bool {
	return (later.wall.Sub(r.wall) - (later.monotonic - r.monotonic)).Abs() > jumpAfter
}
