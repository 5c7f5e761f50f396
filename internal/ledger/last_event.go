package ledger

import (
	"context"
	"database/sql"
	"errors"
)

// LastEvent returns the seq of the newest event so far, also where it was removed since; 0 if there was none. Later
// events are new.
func (l *Ledger) LastEvent(ctx context.Context) (int64, error) {
	var seq int64
	err := l.readers.QueryRowContext(ctx, `SELECT seq FROM sqlite_sequence WHERE name = 'events'`).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return seq, l.explain("find the newest event", err)
}
