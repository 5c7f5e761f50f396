package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"edgelens"
)

// oldestQueued returns for how long the oldest job of each queue has waited to be started; 0 where none waits.
func (l *Ledger) oldestQueued(ctx context.Context) (map[string]time.Duration, error) {
	ages := map[string]time.Duration{}
	for _, queue := range []string{edgelens.QueueInteractive, edgelens.QueueBulk} {
		age, err := l.db.oldest(ctx, `SELECT created_at FROM jobs WHERE finished_at IS NULL AND status = ? AND queue = ? ORDER BY seq LIMIT 1`, edgelens.JobQueued, queue)
		if err != nil {
			return nil, err
		}
		ages[queue] = age
	}
	return ages, nil
}

// oldestUndelivered returns for how long the oldest event for a sink has waited, without those that wait for an operator: of devices
// that are not accepted, and that were set aside.
func (l *Ledger) oldestUndelivered(ctx context.Context, sink string) (time.Duration, error) {
	return l.db.oldestOf(ctx, l.db.clockSteps(), `SELECT created_at FROM outbox WHERE sink = ? AND ready = 1 AND held = 0 AND aside_at IS NULL ORDER BY seq LIMIT 1`, sink)
}

// oldest returns the age of the only row of a query, which has its time; 0 without one.
func (db *database) oldest(ctx context.Context, query string, args ...any) (time.Duration, error) {
	return db.oldestOf(ctx, nil, query, args...)
}

// oldestOf is oldest for a time that the steps are to be counted for.
func (db *database) oldestOf(ctx context.Context, steps clockSteps, query string, args ...any) (time.Duration, error) {
	age, _, err := db.ageOf(ctx, steps, query, args...)
	return age, err
}

// ageOf is oldestOf; found is false without a row, or a time in it.
func (db *database) ageOf(ctx context.Context, steps clockSteps, query string, args ...any) (age time.Duration, found bool, err error) {
	var created sql.NullInt64
	switch err := db.readers.QueryRowContext(ctx, query, args...).Scan(&created); {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case !created.Valid:
		return 0, false, nil
	}
	return max(0, db.now().Sub(time.UnixMicro(steps.moved(created.Int64)))), true, nil
}
