package ledger

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"edgelens/internal/clocks"
)

// database is how the stores read and write: by one writer, a pool of readers and one clock. It is safe for use by many
// goroutines.
type database struct {
	writer  *writer
	readers *sql.DB
	clock   clocks.Clock
	storage *storage
	images  *imageFiles
	// hold keeps images while a backup is taken.
	hold imageHold
	log  *slog.Logger
	// closing is closed when the ledger is.
	closing chan struct{}
}

func (d *database) now() time.Time { return d.clock().Wall }

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

// delete runs a DELETE and returns how many rows that removed.
func (d *database) delete(ctx context.Context, query string, args ...any) (int, error) {
	var removed int64
	err := d.write(ctx, func(c *change) (err error) {
		removed, err = c.exec(query, args...)
		return err
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
