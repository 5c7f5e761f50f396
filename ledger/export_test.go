package ledger

import (
	"context"
	"os"
	"time"
)

// SetClock replaces the clock; call it before the ledger is used.
func (l *Ledger) SetClock(now func() time.Time) { l.now = now }

// FillDisk lets every new picture fail for lack of room, as far as it gets:
// writes to /dev/full give ENOSPC.
func (l *Ledger) FillDisk() {
	l.pictures.create = func(name string) (*os.File, error) {
		f, err := os.Create(name) // what must not be left behind
		if err != nil {
			return nil, err
		}
		f.Close()
		return os.OpenFile("/dev/full", os.O_WRONLY, 0)
	}
}

// DatabasePages returns how many pages the database has.
func (l *Ledger) DatabasePages(ctx context.Context) (pages int, err error) {
	err = l.readers.QueryRowContext(ctx, `PRAGMA page_count`).Scan(&pages)
	return pages, err
}
