package worker

import "time"

// SetClock lets the queue take from now on what read says for the time.
func (q *Queue) SetClock(read func() (wall time.Time, steady time.Duration)) {
	clock := func() moment {
		wall, steady := read()
		return moment{wall, steady}
	}
	q.clock.Store(&clock)
}
