package ledger

import (
	"context"
	"time"
)

// makeRoom removes old rows while the limits are exceeded, and stores whether that was enough.
func (s *sweeper) makeRoom(ctx context.Context, now time.Time) (removed int, err error) {
	// Younger rows are not removed for space.
	promised := now.Add(-min(s.config.MinAge, s.config.MaxAge)).UnixMicro()
	removed, err = s.repeat(ctx, func() (int, error) { return s.removeOverBytes(ctx, promised) })
	if err != nil {
		return removed, err
	}
	ids, err := s.repeat(ctx, func() (int, error) { return s.removeIDs(ctx, promised) })
	removed += ids
	if err != nil {
		return removed, err
	}
	over, err := s.bytesOver(ctx)
	if err != nil {
		return removed, err
	}
	idsOver, err := s.identities.over(ctx)
	if err != nil {
		return removed, err
	}
	s.space.report(over, idsOver > 0, s.db.clock().Monotonic)
	return removed, nil
}

// removeOverBytes removes a batch of the most expendable rows while the limit is exceeded: nothing from after the given
// moment but images.
func (s *sweeper) removeOverBytes(ctx context.Context, promised int64) (int, error) {
	over, err := s.bytesOver(ctx)
	if err != nil || over <= 0 {
		return 0, err
	}
	rows := int(min(over/rowBytes+1, int64(s.batch)))
	for _, step := range []struct {
		kind   string
		remove func() (int, error)
	}{
		{kindJobs, func() (int, error) { return s.jobs.removeFinished(ctx, promised, s.batch, over) }},
		{kindResults, func() (int, error) { return s.results.removeOld(ctx, promised, rows) }},
		{kindRecords, func() (int, error) { return s.records.removeOld(ctx, promised, rows) }},
		{kindEvents, func() (int, error) { return s.events.removeOld(ctx, promised, rows) }},
		{kindImages, func() (int, error) { return s.images.dropKept(ctx, over) }},
	} {
		if n, err := step.remove(); err != nil || n > 0 {
			s.space.note(step.kind, n, s.db.clock().Monotonic)
			return n, err
		}
	}
	return 0, nil
}

// removeIDs removes a batch of the oldest ids of records while their limit is exceeded, none from after the given
// moment.
func (s *sweeper) removeIDs(ctx context.Context, promised int64) (int, error) {
	n, err := s.identities.removeOverCount(ctx, promised)
	s.space.note(kindIDs, n, s.db.clock().Monotonic)
	return n, err
}

// bytesOver returns by how much the images of jobs and the pages in use exceed the limit. The outbox, the points of sensors, the
// examples and the ids of records have limits of their own, and do not count: their approximate size is subtracted.
func (s *sweeper) bytesOver(ctx context.Context) (over int64, err error) {
	err = s.db.readers.QueryRowContext(ctx, `SELECT `+allImageBytes+`
		+ ((SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)) * (SELECT page_size FROM pragma_page_size)
		- `+outboxBytes+` - `+sensorBytes+` - `+exampleBytes+`
		- ? * `+seenCount, seenBytes).Scan(&over)
	return over - s.config.MaxBytes, err
}
