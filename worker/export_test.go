package worker

import "time"

// SetClock lets the queue take from now on what read says for the time.
func (q *Queue) SetClock(read func() (wall time.Time, monotonic time.Duration)) {
	clock := func() reading {
		wall, monotonic := read()
		return reading{wall, monotonic}
	}
	q.clock.Store(&clock)
}
