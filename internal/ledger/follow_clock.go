package ledger

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"edgelens/internal/clocks"
)

// jumpAfter is the deviation that counts as a jump: more than the time between two readings, less than matters to a
// deadline.
const jumpAfter = time.Second

// clockFollower keeps the stored times right where the wall clock jumps. Only the writer's goroutine uses it.
type clockFollower struct {
	clock clocks.Clock
	log   *slog.Logger
	// steps gets the steps of the clock.
	steps *atomic.Pointer[clockSteps]
	// followed is the last reading that the stored times agree with.
	followed clocks.Reading
}

// begin begins a transaction: where the clock has jumped since the last one, it moves the deadlines of unfinished jobs and
// commands along, so that they keep the time that they were given. What else is aged (finished jobs, the outbox, the ids of
// records) stays as it is, and a forward step is noted in one row; a step back is not: late removal is harmless. Times that
// clients have seen, finished_at too, stay. committed is called once the transaction is durable.
func (f *clockFollower) begin(c *change) (committed func(), err error) {
	c.begun = f.clock()
	jump := f.followed.JumpTo(c.begun, jumpAfter)
	if jump == 0 {
		return func() {}, nil
	}
	before := c.begun.Wall.Add(-jump)
	if err := errors.Join(moveJobDeadlines(c, jump), moveCommandDeadlines(c, jump)); err != nil {
		return nil, err
	}
	var steps clockSteps
	if jump > 0 {
		if steps, err = noteClockStep(c, jump, before); err != nil {
			return nil, err
		}
	}
	return func() {
		f.followed = c.begun
		if jump > 0 {
			f.steps.Store(&steps)
		}
		f.log.Warn("wall clock jumped or the machine was suspended, deadlines of jobs moved", "event", "clock_jumped", "by", jump, "from", before)
	}, nil
}
