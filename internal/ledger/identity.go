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

// identify determines whether a record is a duplicate. A record that reuses the ID of an earlier one gets an ID of its
// own; repeats is the earlier one's then.
func (l *Ledger) identify(ctx context.Context, r *edgelens.Reception) (existing bool, repeats string, err error) {
	at, seen, err := lastSeen(ctx, l.readers, r.Record.ID)
	if err != nil {
		return false, "", err
	}
	if seen {
		if r.RepeatsAfter == 0 || r.SentAgain || l.now().Sub(at).Abs() < r.RepeatsAfter {
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
	existing, err = l.formerly(ctx, r)
	return existing, "", err
}

// formerly reports whether an earlier version had the record. Where that is uncertain, it counts as a replay.
func (l *Ledger) formerly(ctx context.Context, r *edgelens.Reception) (bool, error) {
	_, seen, err := lastSeen(ctx, l.readers, r.FormerID)
	if err != nil || !seen {
		return false, err
	}
	var verdict sql.NullString
	err = l.readers.QueryRowContext(ctx, `SELECT verdict FROM records WHERE id = ?`, r.FormerID).Scan(&verdict)
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

// note stores that a record is kept, and reports whether it was already.
func (c *change) note(id, repeats string, now time.Time) (existing bool, err error) {
	if repeats != "" {
		if _, err := c.exec(`UPDATE seen SET at = ? WHERE id = ?`, now.UnixMicro(), repeats); err != nil {
			return false, err
		}
	}
	fresh, err := c.exec(`INSERT INTO seen (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING`, id, now.UnixMicro())
	return fresh == 0, err
}
