package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"edgelens"
)

const (
	// maxStamps is how many envelopes of a key are remembered one by one. Beyond it, the oldest stampBatch are forgotten,
	// and nothing up to their time is accepted any more.
	maxStamps, stampBatch = 20_000, 2_000
)

func microsTime(n int64) time.Time { return time.UnixMicro(n).UTC() }

// replayed is the error of a replay.
func replayed(what string) error { return fmt.Errorf("%w: %s", edgelens.ErrConflict, what) }

// CheckStamp's error is an edgelens.ErrConflict for an envelope that was accepted before, or may have been, and an
// ErrNotFound where the key was removed.
func (s *DeviceKeys) CheckStamp(ctx context.Context, stamp edgelens.EnvelopeStamp) error {
	return s.db.explain("look up an envelope", checkStamp(ctx, s.db.readers, stamp))
}

func checkStamp(ctx context.Context, q querier, stamp edgelens.EnvelopeStamp) error {
	var counter, floor int64
	var known bool
	err := q.QueryRowContext(ctx, `SELECT counter, floor, EXISTS (SELECT 1 FROM envelope_stamps WHERE key_id = ?1 AND id = ?2) FROM device_keys WHERE id = ?1`,
		stamp.KeyID, stamp.ID).Scan(&counter, &floor, &known)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: no device has this key any more", edgelens.ErrNotFound)
	case err != nil:
		return err
	case known:
		return replayed("it was accepted before")
	case stamp.Counter != 0 && stamp.Counter <= counter:
		return replayed(fmt.Sprintf("its counter is %d, and that of an earlier one was %d", stamp.Counter, counter))
	case !stamp.IssuedAt.IsZero() && stamp.IssuedAt.UnixMicro() <= floor:
		return replayed("it is older than those that are remembered")
	}
	return nil
}

// NoteStamp makes durable that an envelope was accepted. One that was noted before stays so.
func (s *DeviceKeys) NoteStamp(ctx context.Context, stamp edgelens.EnvelopeStamp) error {
	return s.db.explain("remember an envelope", s.db.writeWithOthers(ctx, func(c *change) error {
		if stamp.Counter != 0 {
			if _, err := c.exec(`UPDATE device_keys SET counter = max(counter, ?) WHERE id = ?`, stamp.Counter, stamp.KeyID); err != nil {
				return err
			}
		}
		if stamp.IssuedAt.IsZero() {
			return nil
		}
		n, err := c.exec(`INSERT OR IGNORE INTO envelope_stamps (key_id, id, issued_at, expires_at) SELECT id, ?2, ?3, ?4 FROM device_keys WHERE id = ?1`,
			stamp.KeyID, stamp.ID, stamp.IssuedAt.UnixMicro(), stamp.Expires.UnixMicro())
		if err != nil || n == 0 {
			return err
		}
		var stamps int64
		err = c.QueryRowContext(ctx, `UPDATE device_keys SET stamps = stamps + 1 WHERE id = ? RETURNING stamps`, stamp.KeyID).Scan(&stamps)
		if err != nil || stamps <= maxStamps {
			return err
		}
		return raiseFloor(c, stamp.KeyID)
	}))
}

// raiseFloor forgets the oldest envelopes of a key.
func raiseFloor(c *change, key string) error {
	var floor int64
	err := c.QueryRowContext(c.ctx, `SELECT issued_at FROM envelope_stamps WHERE key_id = ? ORDER BY issued_at LIMIT 1 OFFSET ?`, key, stampBatch-1).Scan(&floor)
	if err != nil {
		return err
	}
	n, err := c.exec(`DELETE FROM envelope_stamps WHERE key_id = ? AND issued_at <= ?`, key, floor)
	if err != nil {
		return err
	}
	_, err = c.exec(`UPDATE device_keys SET floor = max(floor, ?), stamps = stamps - ? WHERE id = ?`, floor, n, key)
	return err
}

// removeStamps removes a batch of the envelopes whose time alone refuses them by now, and returns how many. Their floor
// rises with them, so that a clock that is set back opens nothing.
func (s *DeviceKeys) removeStamps(ctx context.Context, now time.Time) (removed int, err error) {
	var key string
	err = s.db.readers.QueryRowContext(ctx, `SELECT key_id FROM envelope_stamps WHERE expires_at < ? LIMIT 1`, now.UnixMicro()).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = s.db.write(ctx, func(c *change) error {
		removed = 0
		var floor sql.NullInt64
		err = c.QueryRowContext(ctx, `SELECT max(issued_at) FROM envelope_stamps WHERE key_id = ? AND expires_at < ?`, key, now.UnixMicro()).Scan(&floor)
		if err != nil {
			return err
		}
		n, err := c.exec(`DELETE FROM envelope_stamps WHERE key_id = ? AND issued_at <= ?`, key, floor.Int64)
		if err != nil {
			return err
		}
		removed = int(n)
		_, err = c.exec(`UPDATE device_keys SET floor = max(floor, ?), stamps = stamps - ? WHERE id = ?`, floor.Int64, n, key)
		return err
	})
	return removed, err
}
