package ledger

import (
	"context"
	"maps"
	"sync"
	"time"
)

// shedCounts count the undelivered rows that were dropped, by sink, since the start.
type shedCounts struct {
	mu   sync.Mutex
	rows map[string]int64
}

func (s *shedCounts) add(rows []removedRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == nil {
		s.rows = map[string]int64{}
	}
	for _, row := range rows {
		s.rows[row.sink]++

	}
}

func (s *shedCounts) snapshot() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.rows)
}

// shedOld drops a batch of rows that are older than Config.OutboxMaxAge, and returns how many. Access records stay.
func (l *Ledger) shedOld(ctx context.Context, now time.Time) (int, error) {
	return l.shed(ctx, `access = 0 AND created_at < ?`, now.Add(-l.config.OutboxMaxAge).UnixMicro())
}

// shedOverBytes drops a batch of the oldest rows while the outbox is larger than
// Config.OutboxMaxBytes. Access records stay.
func (l *Ledger) shedOverBytes(ctx context.Context) (int, error) {
	var bytes int64
	if err := l.readers.QueryRowContext(ctx, `SELECT IFNULL(SUM(bytes), 0) FROM outbox_totals`).Scan(&bytes); err != nil {
		return 0, err
	}
	if bytes <= l.config.OutboxMaxBytes {
		return 0, nil
	}
	// Rows from the oldest on, until those before them suffice.
	return l.shed(ctx, `access = 0 AND seq <= (SELECT MAX(seq) FROM (SELECT seq FROM
		(SELECT seq, SUM(bytes) OVER (ORDER BY seq) - bytes AS before FROM
			(SELECT seq, bytes FROM outbox WHERE access = 0 ORDER BY seq LIMIT ?)) WHERE before < ?))`,
		sweepBatch, bytes-l.config.OutboxMaxBytes)
}

func (l *Ledger) shed(ctx context.Context, condition string, args ...any) (int, error) {
	var removed []removedRow
	err := l.change(ctx, func(c *change) (err error) {
		removed, err = l.removeFromOutbox(c, `seq IN (SELECT seq FROM outbox WHERE `+condition+` ORDER BY seq LIMIT ?)`, append(args, sweepBatch)...)
		return err
	})
	if err != nil || len(removed) == 0 {
		return 0, err
	}
	l.dropped.add(removed)
	l.log.Warn("undelivered events dropped: their sinks were unreachable for longer than the outbox keeps events (ledger.outbox_max_age, ledger.outbox_max_bytes)", "event", "events_dropped",
		"events", len(removed))
	return len(removed), nil
}

// OutboxStats is the size of the outbox of a sink. Aside of the rows are set aside.
type OutboxStats struct{ Rows, Bytes, Shed, Aside int64 }

// OutboxStats returns the size of the outbox of each sink, and how many undelivered rows were dropped since the start.
// It counts only set-aside rows, and is cheap.
func (l *Ledger) OutboxStats(ctx context.Context) (map[string]OutboxStats, error) {
	stats, err := l.outboxStats(ctx)
	return stats, l.explain("measure the outbox", err)
}

func (l *Ledger) outboxStats(ctx context.Context) (map[string]OutboxStats, error) {
	rows, err := l.readers.QueryContext(ctx, `SELECT sink, rows, bytes,
		(SELECT COUNT(*) FROM outbox o WHERE o.sink = t.sink AND o.aside_at IS NOT NULL) FROM outbox_totals t`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stats := map[string]OutboxStats{}
	for rows.Next() {
		var sink string
		var s OutboxStats
		if err := rows.Scan(&sink, &s.Rows, &s.Bytes, &s.Aside); err != nil {
			return nil, err
		}
		stats[sink] = s
	}
	for sink, n := range l.dropped.snapshot() {
		s := stats[sink]
		s.Shed = n
		stats[sink] = s
	}
	return stats, rows.Err()
}
