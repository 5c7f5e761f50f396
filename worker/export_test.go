package worker

import "edgelens/internal/clocks"

// SetClock replaces the clock of the queue.
func (q *Queue) SetClock(clock clocks.Clock) { q.clock.Store(&clock) }
