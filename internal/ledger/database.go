package ledger

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"edgelens/internal/clocks"
	"edgelens/internal/uuid7"
)

// database is how the stores read and write: by one writer, a pool of readers and one clock. It is safe for use by many
// goroutines.
type database struct {
	writer *writer
	// readers are for single rows, and lists for lists, so that those do not wait for these.
	readers, lists *sql.DB
	clock          clocks.Clock
	// opened is the monotonic reading at the start, and formerOpened the time of the start before.
	opened       time.Duration
	formerOpened time.Time
	storage      *storage
	images       *imageFiles
	// hold keeps images while a backup is taken.
	hold imageHold
	log  *slog.Logger
	// steps are those of the clock; nil for none.
	steps atomic.Pointer[clockSteps]
	// freed counts what finished or was delivered, for which rows may have been kept.
	freed atomic.Int64
	// formerIDs is how many ids of records an earlier version left in a table of its own, at the start; 0 once all have moved.
	formerIDs atomic.Int64
	// tag is the end of the ids of jobs; nil where they need none.
	tag *uuid7.Tag
	// closing is closed when the ledger is.
	closing chan struct{}
}

func (d *database) now() time.Time { return d.clock().Wall }

// newJobID returns the id of a job that is accepted at that time.
func (d *database) newJobID(at time.Time) string {
	if d.tag == nil {
		return uuid7.New(at)
	}
	return uuid7.NewTagged(at, *d.tag)
}

// write makes a change durable, then deletes the images that it dropped.
func (d *database) write(ctx context.Context, do func(*change) error) error {
	return d.writeChange(ctx, false, do)
}

// writeWithOthers is write for a change for which only more work of the same kind waits: it may take some milliseconds for
// others to share its transaction, while there are many.
func (d *database) writeWithOthers(ctx context.Context, do func(*change) error) error {
	return d.writeChange(ctx, true, do)
}

func (d *database) writeChange(ctx context.Context, mayWait bool, do func(*change) error) error {
	var dropped []string
	err := d.writer.write(ctx, mayWait, func(c *change) error {
		err := do(c)
		dropped = c.dropped
		return err
	})
	if err == nil {
		d.removeDropped(dropped)
	}
	return err
}

// execute runs one statement as a change, and returns how many rows it touched.
func (d *database) execute(ctx context.Context, statement string, args ...any) (int, error) {
	var touched int64
	err := d.write(ctx, func(c *change) (err error) {
		touched, err = c.exec(statement, args...)
		return err
	})
	return int(touched), err
}

// delete removes the rows of a table that a query gives the seq of, and returns how many. Where there are none, it writes
// nothing.
func (d *database) delete(ctx context.Context, table, query string, args ...any) (int, error) {
	rows, err := d.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var seqs []int64
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return 0, err
		}
		seqs = append(seqs, seq)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(seqs) == 0 {
		return 0, err
	}
	var removed int64
	err = d.write(ctx, func(c *change) error {
		removed = 0
		for _, seq := range seqs {
			n, err := c.exec(`DELETE FROM `+table+` WHERE seq = ?`, seq)
			if err != nil {
				return err
			}
			removed += n
		}
		return nil
	})
	return int(removed), err
}

func (d *database) closed() bool {
	select {
	case <-d.closing:
		return true
	default:
		return false
	}
}
