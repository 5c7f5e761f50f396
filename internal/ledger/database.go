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
	log     *slog.Logger
	// closing is closed when the ledger is.
	closing chan struct{}
}

func (d *database) now() time.Time { return d.clock().Wall }

// write makes a change durable, then deletes the images that it dropped.
func (d *database) write(ctx context.Context, do func(*change) error) error {
	var dropped []string
	err := d.writer.write(ctx, func(c *change) error {
		err := do(c)
		dropped = c.dropped
		return err
	})
	if err == nil {
		for _, id := range dropped {
			d.images.remove(id)
		}
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
