package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"edgelens"
)

// releaseBatch is how many held jobs are released in one transaction.
const releaseBatch = 200

// Restored is what a restore brought back that waits for a decision.
type Restored struct {
	// TakenAt is when the backup was taken, RestoredAt when it was restored.
	TakenAt, RestoredAt time.Time
	// Events are undelivered, and set aside; Jobs are unfinished, and held.
	Events, Jobs int64
	// Commands were not done, and never will be; Old are the finished jobs and results that are older than they are kept.
	// Both are known just after the restore alone.
	Commands, Old int64
}

// Waits reports whether anything waits for a decision.
func (r Restored) Waits() bool { return r.Events > 0 || r.Jobs > 0 }

// hold has everything wait that was to be sent or done when the backup was taken: the service that went on after the
// backup may have sent and done it.
func hold(ctx context.Context, db *sql.DB, takenAt, now time.Time, keepDone time.Duration) (r Restored, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, ignoreDone(tx.Rollback())) }()
	r.TakenAt, r.RestoredAt = takenAt, now
	at := now.UnixMicro()
	reason := "It came back by a restore of the backup of " + takenAt.UTC().Format(time.RFC3339) + ", and may have been processed before."
	for _, step := range []struct {
		count *int64
		query string
		args  []any
	}{
		// Their age begins anew: it is a decision of the operator, who has as long as for other events.
		{&r.Events, `UPDATE outbox SET restored = 1, aside_at = ?1, created_at = ?1,
			aside_reason = CASE WHEN aside_at IS NULL THEN ?2 ELSE aside_reason END`, []any{at, reason + " `edgelens outbox retry` sends it."}},
		// An attempt that was under way proves nothing about its image.
		{&r.Jobs, `UPDATE jobs SET held = 1, attempts = CASE WHEN status = 'running' THEN max(attempts - 1, 0) ELSE attempts END,
			status = 'queued', started_at = NULL WHERE finished_at IS NULL`, nil},
		{nil, `UPDATE records SET freshness = ?, freshness_reason = ? WHERE id IN (SELECT record_id FROM outbox)
			OR id IN (SELECT record_id FROM jobs WHERE held = 1)`, []any{string(edgelens.FreshnessReplayed), reason}},
		{nil, `UPDATE results SET freshness = ?, freshness_reason = ? WHERE id IN (SELECT record_id FROM outbox)`, []any{string(edgelens.FreshnessReplayed), reason}},
		{nil, `UPDATE insights SET freshness = ? WHERE id IN (SELECT record_id FROM outbox)`, []any{string(edgelens.FreshnessReplayed)}},
		// A door must not open because of a restore.
		{&r.Commands, `UPDATE commands SET status = ?, finished_at = ?, detail = ? WHERE finished_at IS NULL`,
			[]any{string(edgelens.CommandFailed), at, "It was not done when a backup was taken, which was restored; it is not sent again."}},
		{nil, `UPDATE devices SET online = 0`, nil},
		// Receivers may have later events of these chains: others begin.
		{nil, `DELETE FROM chain_links`, nil},
		{nil, `DELETE FROM chains`, nil},
		{nil, `INSERT INTO restores (taken_at, restored_at) VALUES (?, ?)`, []any{takenAt.UnixMicro(), at}},
	} {
		result, err := tx.ExecContext(ctx, step.query, step.args...)
		if err != nil {
			return r, err
		}
		if step.count != nil {
			if *step.count, err = result.RowsAffected(); err != nil {
				return r, err
			}
		}
	}
	old := now.Add(-keepDone).UnixMicro()
	err = tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM jobs WHERE kept_since < ?1) + (SELECT count(*) FROM results WHERE job_id IS NULL AND created_at < ?1)`, old).Scan(&r.Old)
	if err != nil {
		return r, err
	}
	return r, tx.Commit()
}

// ignoreDone is the error of a rollback but for that of a transaction that was committed.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// lastRestore returns when the backup of the last restore was taken, and when it was restored; zero for never.
func lastRestore(ctx context.Context, q querier) (takenAt, restoredAt time.Time, err error) {
	var taken, restored sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT taken_at, restored_at FROM restores ORDER BY seq DESC LIMIT 1`).Scan(&taken, &restored)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return timeOf(taken), timeOf(restored), err
}

// Restored returns what waits since the last restore; TakenAt is zero where there was none. It is cheap.
func (l *Ledger) Restored(ctx context.Context) (r Restored, err error) {
	r.TakenAt, r.RestoredAt = l.takenAt, l.restoredAt
	if r.RestoredAt.IsZero() {
		return r, nil
	}
	err = l.db.readers.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM outbox WHERE restored = 1 AND aside_at IS NOT NULL),
		(SELECT count(*) FROM jobs WHERE held = 1 AND finished_at IS NULL)`).Scan(&r.Events, &r.Jobs)
	return r, l.db.explain("count what waits since the restore", err)
}

// ReleaseHeld releases the jobs that are held since a restore, and returns how many: they are queued as others, with the
// time until their deadline that they had when the backup was taken.
func (s *Jobs) ReleaseHeld(ctx context.Context) (released int, err error) {
	takenAt, _, err := lastRestore(ctx, s.db.readers)
	if err != nil {
		return 0, s.db.explain("release the held jobs", err)
	}
	released, err = repeat(func() (int, error) {
		return s.db.execute(ctx, `UPDATE jobs SET held = 0, deadline = deadline + ? WHERE seq IN
			(SELECT seq FROM jobs WHERE held = 1 AND finished_at IS NULL ORDER BY seq LIMIT ?)`,
			s.db.now().Sub(takenAt).Microseconds(), releaseBatch)
	})
	return released, s.db.explain("release the held jobs", err)
}

// heldError is the error of a job that waits since a restore, to a worker that has a task for it: it is to drop that.
func heldError() error {
	return fmt.Errorf("%w: the job is held since a backup was restored; `edgelens job release` releases it", edgelens.ErrNotFound)
}

// guardRestored has a record count as replayed whose device captured it before the restore: it may have been processed by
// the service that went on after the backup.
func (s *Records) guardRestored(r *edgelens.Record) {
	if s.restoredAt.IsZero() || r.CapturedAt.IsZero() || !r.CapturedAt.Before(s.restoredAt) || r.Freshness == edgelens.FreshnessReplayed {
		return
	}
	r.Freshness = edgelens.FreshnessReplayed
	r.FreshnessReason = "It was captured before a backup was restored, and may have been processed before."
}
