package ledger

import (
	"cmp"
	"context"
	"slices"
	"time"

	"edgelens"
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
	idsOver, err := s.identities.over(ctx, int64(s.config.RememberMax))
	if err != nil {
		return removed, err
	}
	s.space.report(over, idsOver > 0, s.db.clock().Monotonic)
	return removed, nil
}

// removeOverBytes removes a batch of rows or images while the limit is exceeded: of the kind that takes the largest multiple of
// its share, or, where none takes more than that, of the most expendable kind. It removes nothing from after the given moment
// but images.
func (s *sweeper) removeOverBytes(ctx context.Context, promised int64) (int, error) {
	over, err := s.bytesOver(ctx)
	if err != nil || over <= 0 {
		return 0, err
	}
	sizes, err := s.db.keptSizes(ctx)
	if err != nil {
		return 0, err
	}
	for _, of := range s.overShare(sizes, over) {
		if n, err := s.removeForSpace(ctx, of, sizes[of.kind], promised); err != nil || n > 0 {
			s.space.note(of.kind, n, s.db.clock().Monotonic)
			return n, err
		}
	}
	return 0, nil
}

// excess is what a kind is to free.
type excess struct {
	kind  string
	bytes int64
}

// overShare returns the kinds that take more than their shares, the largest multiple first, and what each is to free, no more than
// over. Where there are none, something without a share takes the space, and it returns all kinds.
func (s *sweeper) overShare(sizes map[string]keptSize, over int64) (kinds []excess) {
	for _, kind := range shared {
		if more := sizes[kind].bytes - s.config.shareOf(kind); more > 0 {
			kinds = append(kinds, excess{kind, min(over, more)})
		}
	}
	multiple := func(kind string) float64 { return float64(sizes[kind].bytes) / float64(s.config.shareOf(kind)) }
	slices.SortStableFunc(kinds, func(a, b excess) int { return cmp.Compare(multiple(b.kind), multiple(a.kind)) })
	if len(kinds) == 0 {
		for _, kind := range shared {
			kinds = append(kinds, excess{kind, over})
		}
	}
	return kinds
}

// removeForSpace removes a batch of the oldest of a kind, about what is to be freed, and returns how many.
func (s *sweeper) removeForSpace(ctx context.Context, of excess, size keptSize, promised int64) (int, error) {
	rowSize := max(1, size.bytes/max(1, size.rows))
	rows := int(min(of.bytes/rowSize+1, int64(s.batch)))
	switch of.kind {
	case edgelens.KeptJobs:
		return s.jobs.removeFinished(ctx, promised, rows, of.bytes)
	case edgelens.KeptResults:
		return s.results.removeOld(ctx, promised, rows)
	case edgelens.KeptRecords:
		return s.records.removeOld(ctx, promised, rows)
	case edgelens.KeptEvents:
		return s.events.removeOld(ctx, promised, rows)
	default:
		return s.images.dropKept(ctx, of.bytes)
	}
}

// removeIDs removes a batch of the oldest ids of records while their limit is exceeded, none from after the given
// moment.
func (s *sweeper) removeIDs(ctx context.Context, promised int64) (int, error) {
	n, err := s.identities.removeOverCount(ctx, promised)
	s.space.note(edgelens.KeptIDs, n, s.db.clock().Monotonic)
	return n, err
}

// bytesOver returns by how much the images of jobs and the pages in use exceed the limit. The outbox, the points of sensors, the
// examples and the ids of records have limits of their own, and do not count: their approximate size is subtracted.
func (s *sweeper) bytesOver(ctx context.Context) (over int64, err error) {
	err = s.db.readers.QueryRowContext(ctx, `SELECT `+allImageBytes+`
		+ ((SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)) * (SELECT page_size FROM pragma_page_size)
		- `+outboxBytes+` - `+sensorBytes+` - `+exampleBytes+`
		- ? * `+idCount+` - ?`, idBytes, formerIDBytes*s.db.formerIDs.Load()).Scan(&over)
	return over - s.config.MaxBytes, err
}
