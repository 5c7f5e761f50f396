package worker

import "time"

// jumpAfter is by how much the wall clock must be off for a jump.
const jumpAfter = 2 * time.Second

// reading is one reading of two clocks: the one that people set, and one that
// only goes on.
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
func (m reading) jumped(later reading) bool {
	return (later.wall.Sub(m.wall) - (later.monotonic - m.monotonic)).Abs() > jumpAfter
}
