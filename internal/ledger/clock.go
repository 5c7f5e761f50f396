package ledger

import "time"

// jumpAfter is the deviation that counts as a jump: more than the time between two readings, less than matters to a
// deadline.
const jumpAfter = time.Second

func (l *Ledger) now() time.Time { return l.clock().Wall }

// followClock begins a transaction: where the clock has jumped since the last one, it moves the stored times. Deadlines
// move along, so that jobs and commands keep the time that they were given. The age of finished jobs, of the outbox and
// of the ids of records is moved forward only: late removal is harmless. Times that clients have seen, finished_at too,
// stay. It runs in the writer; committed is called once the transaction is durable.
func (l *Ledger) followClock(c *change) (committed func(), err error) {
	c.begun = l.clock()
	jump := l.followed.JumpTo(c.begun, jumpAfter)
	if jump == 0 {
		return func() {}, nil
	}
	before := c.begun.Wall.Add(-jump)
	if _, err := c.exec(`UPDATE jobs SET deadline = deadline + ? WHERE finished_at IS NULL AND deadline IS NOT NULL`, jump.Microseconds()); err != nil {
		return nil, err
	}
	if _, err := c.exec(`UPDATE commands SET deadline = deadline + ? WHERE status = 'queued'`, jump.Microseconds()); err != nil {
		return nil, err
	}
	if jump > 0 {
		for _, query := range []string{
			`UPDATE outbox SET created_at = created_at + ? WHERE created_at <= ?`,
			`UPDATE seen SET at = at + ? WHERE at <= ?`,
		} {
			if _, err := c.exec(query, jump.Microseconds(), before.UnixMicro()); err != nil {
				return nil, err
			}
		}
		if _, err := c.exec(`UPDATE jobs SET kept_since = kept_since + ? WHERE kept_since <= ?`, jump.Microseconds(), before.UnixMicro()); err != nil {
			return nil, err
		}
	}
	return func() {
		l.followed = c.begun
		l.log.Warn("wall clock jumped or the machine was suspended, deadlines of jobs moved", "event", "clock_jumped", "by", jump, "from", before)
	}, nil
}
