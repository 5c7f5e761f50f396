package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"edgelens"
)

// asideList is the name of the list of set-aside rows, in its cursors.
const asideList = "aside"

// SetAside takes a row out of its device's order, by Delivery.Seq, with the reason why its sink never accepts it. It
// stays until RetrySetAside, or its age: access records stay.
func (s *Outbox) SetAside(ctx context.Context, seq int64, reason string) error {
	return s.db.explain("set an event aside", s.db.write(ctx, func(c *change) error {
		_, err := c.exec(`UPDATE outbox SET aside_at = ?, aside_reason = ? WHERE seq = ?`, s.db.now().UnixMicro(), reason, seq)
		return err
	}))
}

// ListSetAside returns the set-aside rows, the newest first, and the cursor of the next page; empty where there is
// none. Its error is an edgelens.ErrInvalid for a bad filter.
func (s *Outbox) ListSetAside(ctx context.Context, filter edgelens.SetAsideFilter) (page []edgelens.SetAside, next string, err error) {
	page, next, err = s.listSetAside(ctx, filter)
	return page, next, s.db.explain("list the set-aside events", err)
}

func (s *Outbox) listSetAside(ctx context.Context, filter edgelens.SetAsideFilter) (page []edgelens.SetAside, next string, err error) {
	before, err := parseCursor(asideList, filter.Cursor)
	if err != nil {
		return nil, "", err
	}
	limit, err := pageLimit(filter.Limit)
	if err != nil {
		return nil, "", err
	}
	query, args := `SELECT o.seq, o.sink, coalesce(i.device, s.device, o.device), o.record_id, coalesce(r.kind, CASE WHEN s.id IS NULL THEN 'insight' ELSE 'state' END), coalesce(r.received_at, i.at, s.at), o.aside_at, o.aside_reason
		FROM outbox o LEFT JOIN records r ON r.id = o.record_id LEFT JOIN insights i ON i.id = o.record_id AND r.id IS NULL
		LEFT JOIN state_changes s ON s.id = o.record_id AND r.id IS NULL WHERE o.aside_at IS NOT NULL AND o.seq < ?`, []any{before}
	if filter.Sink != "" {
		query, args = query+` AND o.sink = ?`, append(args, filter.Sink)
	}
	if filter.Device != "" {
		query, args = query+` AND (o.device IN (?, ?) OR s.device = ?)`, append(args, filter.Device, insightQueue+filter.Device, filter.Device)
	}
	rows, err := s.db.readers.QueryContext(ctx, query+` ORDER BY o.seq DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	for rows.Next() {
		var item edgelens.SetAside
		var received, at sql.NullInt64
		if err := rows.Scan(&item.ID, &item.Sink, &item.Device, &item.Event, &item.Kind, &received, &at, &item.Reason); err != nil {
			return nil, "", err
		}
		if len(page) == limit { // one more than requested: there is a next page
			return page, newCursor(asideList, page[limit-1].ID), rows.Err()
		}
		item.ReceivedAt, item.At = timeOf(received), timeOf(at)
		page = append(page, item)
	}
	return page, "", rows.Err()
}

// RetrySetAside queues set-aside rows for delivery again, complete and before later ones: those with the ids, or all
// where there are none, of the sink, or of every sink where that is empty. Those whose job is held since a restore stay:
// they have no result. It returns how many. Its error is an edgelens.ErrNotFound for an id that is not set aside, or whose
// job is held; then nothing changes.
func (s *Outbox) RetrySetAside(ctx context.Context, sink string, ids ...int64) (n int, err error) {
	err = s.db.write(ctx, func(c *change) error {
		n = 0
		if len(ids) == 0 {
			n, err = retrySetAside(c, `(? = '' OR sink = ?)`, sink, sink)
			return err
		}
		for _, id := range ids {
			one, err := retrySetAside(c, `seq = ? AND (? = '' OR sink = ?)`, id, sink, sink)
			if err != nil {
				return err
			}
			if one == 0 {
				return fmt.Errorf("%w: no event with the id %d is set aside, or its job is held (`edgelens job release`); it may have been sent meanwhile", edgelens.ErrNotFound, id)
			}
			n += one
		}
		return nil
	})
	return n, s.db.explain("retry set-aside events", err)
}

func retrySetAside(c *change, condition string, args ...any) (n int, err error) {
	rows, err := c.QueryContext(context.Background(), `UPDATE outbox SET aside_at = NULL, aside_reason = '', restored = 0 WHERE aside_at IS NOT NULL AND `+condition+`
		AND NOT EXISTS (SELECT 1 FROM jobs WHERE record_id = outbox.record_id AND held = 1 AND finished_at IS NULL) RETURNING device`, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var device string
		if err := rows.Scan(&device); err != nil {
			return 0, err
		}
		c.ready = append(c.ready, device)
		n++
	}
	return n, rows.Err()
}
