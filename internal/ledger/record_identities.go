package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"edgelens"
)

// cameBefore is the reason why a record counts as replayed that an earlier version may have had.
const cameBefore = "A record with the same number came before edgelens was upgraded; it may be this one."

// maxRemembered is how many ids of records are kept whatever their age.
const maxRemembered = 100_000

const (
	// idBytes is the size of the id of a record in the database, with its time and the index by time; a test measures it.
	idBytes = 72
	// idCount is the number of ids of records, which triggers maintain.
	idCount = `(SELECT ids FROM record_id_totals)`
)

// identities has the ids of the records that were kept, longer than the records. It is safe for use by many goroutines.
type identities struct {
	db     *database
	config Config
}

// identify determines whether a record is a duplicate. A record that reuses the ID of an earlier one gets an ID of its
// own; repeats is the earlier one's then.
func (s *identities) identify(ctx context.Context, r *edgelens.Reception) (existing bool, repeats string, err error) {
	at, seen, err := s.lastSeen(ctx, r.Record.ID)
	if err != nil {
		return false, "", err
	}
	if seen {
		at = time.UnixMicro(s.db.clockSteps().moved(at.UnixMicro()))
		if r.RepeatsAfter == 0 || r.SentAgain || s.db.now().Sub(at).Abs() < r.RepeatsAfter {
			return true, "", nil
		}
		repeats = r.Record.ID
		r.Record.Key = "again|" + r.Record.ReceivedAt.UTC().Format(time.RFC3339Nano)
		r.Record.ID = edgelens.RecordID(r.Record.Dialect, r.Record.Device, r.Record.Kind, r.Record.Key, r.Record.ImageSHA256)
		return false, repeats, nil
	}
	if r.FormerID == "" {
		return false, "", nil
	}
	existing, err = s.formerly(ctx, r)
	return existing, "", err
}

// formerly reports whether an earlier version had the record. Where that is uncertain, it counts as a replay.
func (s *identities) formerly(ctx context.Context, r *edgelens.Reception) (bool, error) {
	_, seen, err := s.lastSeen(ctx, r.FormerID)
	if err != nil || !seen {
		return false, err
	}
	var verdict sql.NullString
	err = s.db.readers.QueryRowContext(ctx, `SELECT verdict FROM records WHERE id = ?`, r.FormerID).Scan(&verdict)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	if err == nil && bytes.Equal(json.RawMessage(verdict.String), r.Record.Verdict) {
		return true, nil
	}
	r.Record.Freshness, r.Record.FreshnessReason = edgelens.FreshnessReplayed, cameBefore
	return false, nil
}

// lastSeen returns when a record of that ID was last kept.
func (s *identities) lastSeen(ctx context.Context, id string) (at time.Time, seen bool, err error) {
	// The former table comes first: an id that moves in between is found in the other one.
	if s.db.formerIDs.Load() > 0 {
		if at, seen, err = s.seenBy(ctx, `SELECT at FROM seen WHERE id = ?`, id); seen || err != nil {
			return at, seen, err
		}
	}
	return s.seenBy(ctx, `SELECT at FROM record_ids WHERE id = ?`, compactID(id))
}

// seenBy returns the time that a query gives for an id.
func (s *identities) seenBy(ctx context.Context, query string, id any) (at time.Time, seen bool, err error) {
	var micros int64
	err = s.db.readers.QueryRowContext(ctx, query, id).Scan(&micros)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return time.UnixMicro(micros), err == nil, err
}

// note stores that a record is kept, and reports whether it was already.
func (s *identities) note(c *change, id, repeats string, now time.Time) (existing bool, err error) {
	former := s.db.formerIDs.Load() > 0
	if repeats != "" {
		if _, err := c.exec(`UPDATE record_ids SET at = ? WHERE id = ?`, now.UnixMicro(), compactID(repeats)); err != nil {
			return false, err
		}
		if former {
			if _, err := c.exec(`UPDATE seen SET at = ? WHERE id = ?`, now.UnixMicro(), repeats); err != nil {
				return false, err
			}
		}
	}
	if former {
		err := c.QueryRowContext(c.ctx, `SELECT EXISTS (SELECT 1 FROM seen WHERE id = ?)`, id).Scan(&existing)
		if existing || err != nil {
			return existing, err
		}
	}
	fresh, err := c.exec(`INSERT INTO record_ids (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING`, compactID(id), now.UnixMicro())
	return fresh == 0, err
}

// removeOld removes a batch of ids that are older than Config.Remember, but for the last ones, and returns how many.
func (s *identities) removeOld(ctx context.Context, now time.Time) (int, error) {
	over, err := s.over(ctx, min(maxRemembered, int64(s.config.RememberMax)))
	if err != nil || over <= 0 {
		return 0, err
	}
	return s.remove(ctx, now.Add(-s.config.Remember).UnixMicro(), min(over, sweepBatch))
}

// over returns by how much the ids exceed a number.
func (s *identities) over(ctx context.Context, most int64) (over int64, err error) {
	err = s.db.readers.QueryRowContext(ctx, `SELECT `+idCount).Scan(&over)
	return over - most, err
}

// removeOverCount removes a batch of the oldest ids while there are more than Config.RememberMax, none from after the given
// moment, and returns how many.
func (s *identities) removeOverCount(ctx context.Context, before int64) (int, error) {
	over, err := s.over(ctx, int64(s.config.RememberMax))
	if err != nil || over <= 0 {
		return 0, err
	}
	return s.remove(ctx, before, min(over, sweepBatch))
}

// remove removes up to n of the oldest ids from before the given moment, and returns how many.
func (s *identities) remove(ctx context.Context, before, n int64) (int, error) {
	for _, span := range s.db.clockSteps().before(before) {
		ids, err := s.oldest(ctx, span, n)
		if err != nil {
			return 0, err
		}
		if len(ids) == 0 {
			continue
		}
		err = s.db.write(ctx, func(c *change) error {
			for _, id := range ids {
				if _, err := c.exec(`DELETE FROM record_ids WHERE id = ?`, id); err != nil {
					return err
				}
			}
			return nil
		})
		return len(ids), err
	}
	return 0, nil
}

// oldest returns up to n of the oldest ids of a span, as they are stored.
func (s *identities) oldest(ctx context.Context, of span, n int64) (ids [][]byte, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT id FROM record_ids INDEXED BY record_ids_by_age WHERE at >= ? AND at < ? ORDER BY at LIMIT ?`,
		of.from, of.until, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
