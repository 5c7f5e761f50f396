package ledger

import (
	"context"
	"math"
	"time"

	"edgelens/internal/clocks"
)

const (
	// duePage is how many rows a dueScan reads at a time.
	duePage = 200
	// dueLooks is how many rows it looks at in vain before it leaves the rest to the next sweep.
	dueLooks = 5 * duePage
	// dueAgain is when rows that could not be removed are looked at again, even if nothing that needed them is known to have
	// gone.
	dueAgain = 10 * time.Minute
)

// dueRow is a row that is old enough to be removed.
type dueRow struct {
	seq, at int64
	// free is false where something still needs the row.
	free bool
	// id and imageBytes are of jobs alone.
	id         string
	imageBytes int64
}

// dueScan finds the rows of a table that are due, the oldest first. Each call goes on where the one before ended, so that
// rows which must stay are not looked at again with every sweep: only once something that rows may have waited for is gone.
// It is for one goroutine.
type dueScan struct {
	db *database
	// table has the rows, and at is the column of their times. which is a condition on the rows, with AND at its end, or empty
	// for all; free is the condition that a row can be removed. id and imageBytes are expressions.
	table, at, which, free, id, imageBytes string
	// once is true for a scan that looks at each row once.
	once bool
	// moved is true where the times are those of clockSteps.
	moved bool

	position dueRow
	atEnd    bool
	// began is when the scan began at the oldest row, and freed what database.freed was then.
	began clocks.Reading
	freed int64
}

// query selects seq, time, free, id and image bytes of the rows from a position on: ?1 is the first time and ?2 the seq after
// which it begins there, ?3 the time before which it ends, ?4 the number of rows.
func (d *dueScan) query() string {
	return `SELECT seq, ` + d.at + `, ` + d.free + `, ` + d.id + `, ` + d.imageBytes + ` FROM ` + d.table + `
		WHERE ` + d.which + d.at + ` >= ?1 AND (` + d.at + ` > ?1 OR seq > ?2) AND ` + d.at + ` < ?3 ORDER BY ` + d.at + `, seq LIMIT ?4`
}

// next returns the next free rows from before the given moment: no more than n, and no more than needed to free about the
// given bytes.
func (d *dueScan) next(ctx context.Context, before int64, n int, bytes int64) ([]dueRow, error) {
	d.rewind()
	spans := []span{{math.MinInt64, before}}
	if d.moved {
		spans = d.db.clockSteps().before(before)
	}
	var free []dueRow
	looks := 0
	for _, s := range spans {
		for s.until > d.position.at {
			page, err := d.page(ctx, s)
			if err != nil {
				return nil, err
			}
			for _, row := range page {
				if len(free) >= n || bytes <= 0 {
					return free, nil
				}
				d.position = row
				if row.free {
					free = append(free, row)
					bytes -= row.imageBytes + rowBytes
				} else {
					looks++
				}
			}
			if len(page) < duePage {
				break
			}
			if looks >= dueLooks {
				return free, nil
			}
		}
	}
	d.atEnd = true
	return free, nil
}

// remove removes the next free rows from before the given moment, up to n, each by the statement, and returns how many.
func (d *dueScan) remove(ctx context.Context, statement string, before int64, n int) (int, error) {
	rows, err := d.next(ctx, before, n, math.MaxInt64)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	err = d.db.write(ctx, func(c *change) error {
		for _, row := range rows {
			if _, err := c.exec(statement, row.seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(rows), nil
}

// rewind begins again at the oldest row, where there is a reason to look at all again.
func (d *dueScan) rewind() {
	if d.once {
		if d.position == (dueRow{}) {
			d.position.at = math.MinInt64
		}
		return
	}
	now, freed := d.db.clock(), d.db.freed.Load()
	if d.atEnd && (freed != d.freed || now.Monotonic-d.began.Monotonic > dueAgain) || d.began.JumpTo(now, jumpAfter) != 0 {
		d.position, d.atEnd, d.began, d.freed = dueRow{at: math.MinInt64}, false, now, freed
	}
}

// page returns the rows of a span after the position.
func (d *dueScan) page(ctx context.Context, s span) ([]dueRow, error) {
	from, after := s.from, int64(math.MinInt64)
	if d.position.at >= from {
		from, after = d.position.at, d.position.seq
	}
	rows, err := d.db.readers.QueryContext(ctx, d.query(), from, after, s.until, duePage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []dueRow
	for rows.Next() {
		var row dueRow
		if err := rows.Scan(&row.seq, &row.at, &row.free, &row.id, &row.imageBytes); err != nil {
			return nil, err
		}
		page = append(page, row)
	}
	return page, rows.Err()
}
