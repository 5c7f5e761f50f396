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
func (s *Outbox) shedOld(ctx context.Context, now time.Time) (int, error) {
	for _, span := range s.db.clockSteps().before(now.Add(-s.config.OutboxMaxAge).UnixMicro()) {
		n, err := s.shed(ctx, `seq IN (SELECT seq FROM outbox WHERE access = 0 AND created_at >= ? AND created_at < ? ORDER BY created_at LIMIT ?)`, span.from, span.until, sweepBatch)
		if err != nil || n > 0 {
			return n, err
		}
	}
	return 0, nil
}

// shedOverBytes drops a batch of the oldest rows while the outbox is larger than
// Config.OutboxMaxBytes. Access records stay.
func (s *Outbox) shedOverBytes(ctx context.Context) (int, error) {
	var bytes int64
	if err := s.db.readers.QueryRowContext(ctx, `SELECT `+outboxBytes).Scan(&bytes); err != nil {
		return 0, err
	}
	if bytes <= s.config.OutboxMaxBytes {
		return 0, nil
	}
	// Rows from the oldest on, until those before them suffice.
	return s.shed(ctx, `access = 0 AND seq <= (SELECT MAX(seq) FROM (SELECT seq FROM
		(SELECT seq, SUM(bytes) OVER (ORDER BY seq) - bytes AS before FROM
			(SELECT seq, bytes FROM outbox WHERE access = 0 ORDER BY seq LIMIT ?)) WHERE before < ?))`,
		sweepBatch, bytes-s.config.OutboxMaxBytes)
}

func (s *Outbox) shed(ctx context.Context, condition string, args ...any) (int, error) {
	var any bool
	err := s.db.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM outbox WHERE `+condition+`)`, args...).Scan(&any)
	if err != nil || !any {
		return 0, err
	}
	var removed []removedRow
	err = s.db.write(ctx, func(c *change) (err error) {
		removed, err = s.remove(c, `seq IN (SELECT seq FROM outbox WHERE `+condition+` ORDER BY seq LIMIT ?)`, append(args, sweepBatch)...)
		return err
	})
	if err != nil || len(removed) == 0 {
		return 0, err
	}
	s.dropped.add(removed)
	s.db.log.Warn("undelivered events dropped: their sinks were unreachable for longer than the outbox keeps events (ledger.outbox_max_age, ledger.outbox_max_bytes)", "event", "events_dropped",
		"events", len(removed))
	return len(removed), nil
}
