package ledger

import (
	"log/slog"
	"time"

	"edgelens/internal/clocks"
)

// jumpAfter is the deviation that counts as a jump: more than the time between two readings, less than matters to a
// deadline.
const jumpAfter = time.Second

// clockFollower moves the stored times where the wall clock jumps. Only the writer's goroutine uses it.
type clockFollower struct {
	clock clocks.Clock
	log   *slog.Logger
	// followed is the last reading that the stored times agree with.
	followed clocks.Reading
}

// begin begins a transaction: where the clock has jumped since the last one, it moves the stored times. Deadlines move
// along, so that jobs and commands keep the time that they were given. The age of finished jobs, of the outbox and of
// the ids of records is moved forward only: late removal is harmless. Times that clients have seen, finished_at too,
// stay. committed is called once the transaction is durable.
func (f *clockFollower) begin(c *change) (committed func(), err error) {
	c.begun = f.clock()
	jump := f.followed.JumpTo(c.begun, jumpAfter)
	if jump == 0 {
		return func() {}, nil
	}
	before := c.begun.Wall.Add(-jump)
	for _, move := range []func(c *change, jump time.Duration, before time.Time) error{
		moveJobTimes, moveCommandTimes, moveOutboxTimes, moveSeenTimes,
	} {
		if err := move(c, jump, before); err != nil {
			return nil, err
		}
	}
	return func() {
		f.followed = c.begun
		f.log.Warn("wall clock jumped or the machine was suspended, deadlines of jobs moved", "event", "clock_jumped", "by", jump, "from", before)
	}, nil
}
