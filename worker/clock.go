package worker

import "time"

// jumpAfter is by how much the wall clock must be off for a jump.
const jumpAfter = 2 * time.Second

// moment is one reading of two clocks: the one that people set, and one that
// only goes on.
type moment struct {
	wall   time.Time
	steady time.Duration
}

// newClock returns the clocks of this process.
func newClock() func() moment {
	start := time.Now()
	return func() moment {
		now := time.Now()
		return moment{wall: now.Round(0), steady: now.Sub(start)}
	}
}

// jumped reports whether the wall clock was set between two readings.
func (m moment) jumped(later moment) bool {
	return (later.wall.Sub(m.wall) - (later.steady - m.steady)).Abs() > jumpAfter
}
