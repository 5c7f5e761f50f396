package ledger

import "context"

// OutboxStats is the size of the outbox of a sink. Aside of the rows are set aside, and Restored of these since a restore.
type OutboxStats struct{ Rows, Bytes, Shed, Aside, Restored int64 }

// Stats returns the size of the outbox of each sink, and how many undelivered rows were dropped since the start.
// It counts only set-aside rows, and is cheap.
func (s *Outbox) Stats(ctx context.Context) (map[string]OutboxStats, error) {
	stats, err := s.stats(ctx)
	return stats, s.db.explain("measure the outbox", err)
}

func (s *Outbox) stats(ctx context.Context) (map[string]OutboxStats, error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT sink, rows, bytes,
		(SELECT COUNT(*) FROM outbox o WHERE o.sink = t.sink AND o.aside_at IS NOT NULL),
		(SELECT COUNT(*) FROM outbox o WHERE o.sink = t.sink AND o.aside_at IS NOT NULL AND o.restored = 1) FROM outbox_totals t`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stats := map[string]OutboxStats{}
	for rows.Next() {
		var sink string
		var of OutboxStats
		if err := rows.Scan(&sink, &of.Rows, &of.Bytes, &of.Aside, &of.Restored); err != nil {
			return nil, err
		}
		stats[sink] = of
	}
	for sink, n := range s.dropped.snapshot() {
		of := stats[sink]
		of.Shed = n
		stats[sink] = of
	}
	return stats, rows.Err()
}
