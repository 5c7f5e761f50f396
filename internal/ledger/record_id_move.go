package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const (
	// moveBatch is how many ids move in one transaction, and movePause for how many times as long as that took others have the
	// database to themselves.
	moveBatch, movePause = 100, 4
	// formerIDBytes is the size of an id in the table of earlier versions, with its indexes.
	formerIDBytes = 140
	// moveRetry is when a move that failed is tried again.
	moveRetry = time.Minute
)

// dropFormerIDs removes the table in which earlier versions kept the ids of records, once all have moved.
func dropFormerIDs(ctx context.Context, db *sql.DB) error {
	left, err := countFormerIDs(ctx, db)
	if err != nil || left > 0 {
		return err
	}
	_, err = db.ExecContext(ctx, `DROP TABLE IF EXISTS seen`)
	return err
}

// countFormerIDs returns how many ids of records the table of earlier versions has, at most; 0 where there is no such table.
func countFormerIDs(ctx context.Context, q querier) (n int64, err error) {
	var exists bool
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'seen')`).Scan(&exists)
	if err != nil || !exists {
		return 0, err
	}
	err = q.QueryRowContext(ctx, `SELECT ifnull((SELECT max(seq) FROM seen) - (SELECT min(seq) FROM seen) + 1, 0)`).Scan(&n)
	return n, err
}

// moveFormer moves the ids of the table of earlier versions, the oldest first, in small transactions with pauses. Each id is in one
// of the two tables at any time, so that an interruption loses and repeats none; the next start goes on.
func (s *identities) moveFormer(ctx context.Context) {
	for s.db.formerIDs.Load() > 0 && ctx.Err() == nil {
		begun := time.Now()
		moved, err := s.moveBatch(ctx)
		wait := movePause * time.Since(begun)
		switch {
		case err != nil && ctx.Err() == nil:
			s.db.log.Warn("moving the ids of records of an earlier version failed, retried later", "error", err)
			wait = moveRetry
		case err == nil && moved == 0:
			s.db.formerIDs.Store(0)
			s.db.log.Info("moved the ids of records of an earlier version; the next start frees their table")
			return
		}
		s.db.formerIDs.Store(max(1, s.db.formerIDs.Load()-int64(moved))) // only an empty table ends the move
		if err := pause(ctx, wait); err != nil {
			return
		}
	}
}

// moveBatch moves some ids, and returns how many.
func (s *identities) moveBatch(ctx context.Context) (moved int, err error) {
	err = s.db.write(ctx, func(c *change) error {
		former, err := oldestFormer(c)
		if err != nil {
			return err
		}
		for _, id := range former {
			if _, err := c.exec(`INSERT INTO record_ids (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING`, compactID(id.id), id.at); err != nil {
				return err
			}
			if _, err := c.exec(`DELETE FROM seen WHERE seq = ?`, id.seq); err != nil {
				return err
			}
		}
		moved = len(former)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("move ids of records: %w", err)
	}
	return moved, nil
}

// formerID is a row of the table of earlier versions.
type formerID struct {
	seq, at int64
	id      string
}

func oldestFormer(c *change) (ids []formerID, err error) {
	rows, err := c.QueryContext(c.ctx, `SELECT seq, at, id FROM seen ORDER BY seq LIMIT ?`, moveBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id formerID
		if err := rows.Scan(&id.seq, &id.at, &id.id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
