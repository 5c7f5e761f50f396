package ledger

import (
	"context"
	"math"
	"time"
)

// maxClockSteps bounds the steps that are kept; beyond it, the oldest two become one.
const maxClockSteps = 16

// clockStep is a forward step of the wall clock, in microseconds: what was written until before, by the clock as it was
// then, counts as later by jump.
type clockStep struct{ seq, before, jump int64 }

// clockSteps are those that stored times were not moved for, the oldest first. They must not be changed.
type clockSteps []clockStep

// moved returns a stored time by the present wall clock.
func (s clockSteps) moved(at int64) int64 {
	for _, step := range s {
		if at <= step.before {
			at += step.jump
		}
	}
	return at
}

// span is the stored times from from, and before until.
type span struct{ from, until int64 }

// before returns the stored times that are, by the present wall clock, before the given one.
func (s clockSteps) before(at int64) []span {
	type piece struct {
		span
		shift int64 // between stored and present
	}
	pieces := []piece{{span{math.MinInt64, math.MaxInt64}, 0}}
	for _, step := range s {
		var next []piece
		for _, p := range pieces {
			edge := step.before - p.shift + 1 // the first that is not moved
			if p.from < edge {
				next = append(next, piece{span{p.from, min(p.until, edge)}, p.shift + step.jump})
			}
			if edge < p.until {
				next = append(next, piece{span{max(p.from, edge), p.until}, p.shift})
			}
		}
		pieces = next
	}
	var spans []span
	for _, p := range pieces {
		p.until = min(p.until, at-p.shift)
		switch last := len(spans) - 1; {
		case p.from >= p.until:
		case last >= 0 && spans[last].until == p.from:
			spans[last].until = p.until
		default:
			spans = append(spans, p.span)
		}
	}
	return spans
}

// readClockSteps returns the steps in the database.
func readClockSteps(ctx context.Context, q querier) (clockSteps, error) {
	rows, err := q.QueryContext(ctx, `SELECT seq, before, jump FROM clock_steps ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var steps clockSteps
	for rows.Next() {
		var step clockStep
		if err := rows.Scan(&step.seq, &step.before, &step.jump); err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, rows.Err()
}

// noteClockStep stores a forward step, and returns all steps. Of too many, the oldest two become one: rows that were
// written between them count as younger than they are, and are removed later.
func noteClockStep(c *change, jump time.Duration, before time.Time) (clockSteps, error) {
	if _, err := c.exec(`INSERT INTO clock_steps (before, jump) VALUES (?, ?)`, before.UnixMicro(), jump.Microseconds()); err != nil {
		return nil, err
	}
	steps, err := readClockSteps(context.Background(), c)
	if err != nil || len(steps) <= maxClockSteps {
		return steps, err
	}
	if _, err := c.exec(`UPDATE clock_steps SET jump = jump + ? WHERE seq = ?`, steps[0].jump, steps[1].seq); err != nil {
		return nil, err
	}
	if _, err := c.exec(`DELETE FROM clock_steps WHERE seq = ?`, steps[0].seq); err != nil {
		return nil, err
	}
	steps[1].jump += steps[0].jump
	return steps[1:], nil
}

// forgetClockSteps removes the steps that no stored time is before.
func (d *database) forgetClockSteps(ctx context.Context) error {
	steps := d.clockSteps()
	if len(steps) == 0 || d.formerIDs.Load() > 0 { // those ids have times, too
		return nil
	}
	var oldest int64
	err := d.readers.QueryRowContext(ctx, `SELECT min(
			ifnull((SELECT MIN(kept_since) FROM jobs WHERE kept_since IS NOT NULL), ?1),
			ifnull((SELECT MIN(created_at) FROM outbox WHERE access = 0), ?1),
			ifnull((SELECT MIN(at) FROM record_ids), ?1))`, int64(math.MaxInt64)).Scan(&oldest)
	if err != nil || oldest <= steps[0].before {
		return err
	}
	last := 0 // of those to be removed
	for last+1 < len(steps) && steps[last+1].before < oldest {
		last++
	}
	return d.write(ctx, func(c *change) error {
		if _, err := c.exec(`DELETE FROM clock_steps WHERE seq <= ?`, steps[last].seq); err != nil {
			return err
		}
		kept, err := readClockSteps(ctx, c)
		if err == nil {
			d.steps.Store(&kept) // without a commit, those that are missing matter to no row
		}
		return err
	})
}

// clockSteps returns those of the present.
func (d *database) clockSteps() clockSteps {
	if steps := d.steps.Load(); steps != nil {
		return *steps
	}
	return nil
}
