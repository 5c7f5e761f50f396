package worker

import "time"

// SetClock replaces the clock of the queue.
func (q *Queue) SetClock(read func() (wall time.Time, monotonic time.Duration)) {
	clock := func() reading {
		wall, monotonic := read()
		return reading{wall, monotonic}
	}
	q.clock.Store(&clock)
}
