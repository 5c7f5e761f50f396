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
	// seenBytes is the minimum size of the id of a record in the database, with its index; a test measures it.
	seenBytes = 140
	// seenCount is the number of ids of records: the oldest are removed first, so no rows must be counted.
	seenCount = `(SELECT IFNULL((SELECT MAX(seq) FROM seen) - (SELECT MIN(seq) FROM seen) + 1, 0))`
)

// identities has the ids of the records that were kept, longer than the records. It is safe for use by many goroutines.
type identities struct {
	db     *database
	config Config
}

// identify determines whether a record is a duplicate. A record that reuses the ID of an earlier one gets an ID of its
// own; repeats is the earlier one's then.
func (s *identities) identify(ctx context.Context, r *edgelens.Reception) (existing bool, repeats string, err error) {
	at, seen, err := lastSeen(ctx, s.db.readers, r.Record.ID)
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
	_, seen, err := lastSeen(ctx, s.db.readers, r.FormerID)
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
func lastSeen(ctx context.Context, q querier, id string) (at time.Time, seen bool, err error) {
	var micros int64
	err = q.QueryRowContext(ctx, `SELECT at FROM seen WHERE id = ?`, id).Scan(&micros)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return time.UnixMicro(micros), err == nil, err
}

// noteSeen stores that a record is kept, and reports whether it was already.
func noteSeen(c *change, id, repeats string, now time.Time) (existing bool, err error) {
	if repeats != "" {
		if _, err := c.exec(`UPDATE seen SET at = ? WHERE id = ?`, now.UnixMicro(), repeats); err != nil {
			return false, err
		}
	}
	fresh, err := c.exec(`INSERT INTO seen (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING`, id, now.UnixMicro())
	return fresh == 0, err
}

// removeOld removes a batch of ids that are older than Config.Remember, but for the last ones, and returns how many.
func (s *identities) removeOld(ctx context.Context, now time.Time) (int, error) {
	return s.remove(ctx, `seq <= (SELECT MAX(seq) FROM seen) - ? AND `, now.Add(-s.config.Remember).UnixMicro(), sweepBatch, min(maxRemembered, s.config.RememberMax))
}

// over returns by how much the ids exceed Config.RememberMax.
func (s *identities) over(ctx context.Context) (over int64, err error) {
	err = s.db.readers.QueryRowContext(ctx, `SELECT `+seenCount).Scan(&over)
	return over - int64(s.config.RememberMax), err
}

// removeOverCount removes a batch of the oldest ids while the limit is exceeded, none from after the given moment, and
// returns how many.
func (s *identities) removeOverCount(ctx context.Context, before int64) (int, error) {
	over, err := s.over(ctx)
	if err != nil || over <= 0 {
		return 0, err
	}
	return s.remove(ctx, "", before, min(over, sweepBatch))
}

// remove removes up to n of the oldest ids from before the given moment for which the condition holds, and returns how many.
func (s *identities) remove(ctx context.Context, condition string, before, n int64, args ...any) (int, error) {
	for _, span := range s.db.clockSteps().before(before) {
		removed, err := s.db.delete(ctx, "seen", `SELECT seq FROM seen INDEXED BY seen_by_age WHERE `+condition+`at >= ? AND at < ? ORDER BY at, seq LIMIT ?`,
			append(args, span.from, span.until, n)...)
		if err != nil || removed > 0 {
			return removed, err
		}
	}
	return 0, nil
}
