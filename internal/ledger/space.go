package ledger

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"edgelens"
)

// The names in metrics of the kinds of rows that are removed for space.
const (
	kindJobs    = "jobs"
	kindResults = "results"
	kindRecords = "records"
	kindEvents  = "events"
	kindImages  = "images"
	kindIDs     = "ids"
)

const (
	// seenBytes is the minimum size of the id of a record in the database, with its index; a test measures it.
	seenBytes = 140
	// spaceWarning is how often the log warns that space is short.
	spaceWarning = time.Minute
	// spaceMemory is how long after the last removal for space it still counts as short.
	spaceMemory = 10 * time.Minute
)

// space is what the sweeps measured. It is safe for use by many goroutines.
type space struct {
	mu         sync.Mutex
	removed    map[string]int64 // for space, since the start
	last       time.Duration    // of the last removal, by the monotonic clock
	warned     time.Duration
	unreported int64 // removed since the last warning
	// over is by how much the non-removable content exceeds the limit, as of the last sweep; idsOver is the same for
	// ids.
	over    int64
	idsOver bool
}

// note counts what was removed for space.
func (s *space) note(kind string, n int, now time.Duration) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed == nil {
		s.removed = map[string]int64{}
		s.warned = now - spaceWarning
	}
	s.removed[kind] += int64(n)
	s.unreported += int64(n)
	s.last = now
}

// warning returns how much was removed since the last warning, once the next is due.
func (s *space) warning(now time.Duration) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unreported == 0 || now-s.warned < spaceWarning {
		return 0
	}
	n := s.unreported
	s.unreported, s.warned = 0, now
	return n
}

func (s *space) set(over int64, idsOver bool) (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.over > 0 || s.idsOver
	s.over, s.idsOver = over, idsOver
	return was
}

func (s *space) full() (over int64, idsOver bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over, s.idsOver
}

// short reports whether something was removed for space recently.
func (s *space) short(now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.removed) > 0 && now-s.last < spaceMemory
}

// RemovedForSpace returns how much was removed since the start for lack of space, and not for its age, by kind: jobs,
// results, records, events, images (of finished jobs) and ids (of records).
func (l *Ledger) RemovedForSpace() map[string]int64 {
	all := map[string]int64{kindJobs: 0, kindResults: 0, kindRecords: 0, kindEvents: 0, kindImages: 0, kindIDs: 0}
	l.space.mu.Lock()
	defer l.space.mu.Unlock()
	maps.Copy(all, l.space.removed)
	return all
}

// promised is the moment before which rows may be removed for space.
func (l *Ledger) promised(now time.Time) int64 {
	return now.Add(-min(l.config.MinAge, l.config.MaxAge)).UnixMicro()
}

// makeRoom removes old rows while the limits are exceeded, and stores whether that was enough.
func (l *Ledger) makeRoom(ctx context.Context, now time.Time) (removed int, err error) {
	removed, err = repeat(func() (int, error) { return l.removeOverBytes(ctx, l.promised(now)) })
	if err != nil {
		return removed, err
	}
	ids, err := repeat(func() (int, error) { return l.forgetOverCount(ctx, l.promised(now)) })
	removed += ids
	if err != nil {
		return removed, err
	}
	over, err := l.bytesOver(ctx)
	if err != nil {
		return removed, err
	}
	idsOver, err := l.idsOver(ctx)
	if err != nil {
		return removed, err
	}
	l.reportSpace(over, idsOver > 0)
	return removed, nil
}

func (l *Ledger) reportSpace(over int64, idsOver bool) {
	was, is := l.space.set(over, idsOver), over > 0 || idsOver
	switch {
	case is && !was:
		l.log.Error("the ledger is full and its rows are too young to be removed: nothing more is accepted. Raise ledger.max_bytes (or ledger.remember_max), or lower ledger.min_age", "event", "ledger_full",
			"over_bytes", max(0, over), "max_bytes", l.config.MaxBytes, "min_age", l.config.MinAge)
	case was && !is:
		l.log.Info("the ledger has room again", "event", "ledger_has_room")
	}
	if n := l.space.warning(l.clock().Monotonic); n > 0 {
		l.log.Warn("the ledger removes rows for space before they reach their age: raise ledger.max_bytes, or lower ledger.max_age", "event", "ledger_space_short",
			"rows", n, "max_bytes", l.config.MaxBytes, "max_age", l.config.MaxAge)
	}
}

// removeOverBytes removes a batch of the most expendable rows while the limit is exceeded: nothing younger than MinAge
// but images.
func (l *Ledger) removeOverBytes(ctx context.Context, promised int64) (int, error) {
	over, err := l.bytesOver(ctx)
	if err != nil || over <= 0 {
		return 0, err
	}
	rows := min(over/rowBytes+1, sweepBatch)
	for _, step := range []struct {
		kind   string
		remove func() (int, error)
	}{
		{kindJobs, func() (int, error) { return l.removeOldestJobs(ctx, over, promised) }},
		{kindResults, func() (int, error) {
			return l.removeRows(ctx, `DELETE FROM results WHERE seq IN
				(SELECT seq FROM results WHERE job_id IS NULL AND created_at < ? AND `+resultIsDelivered+` ORDER BY seq LIMIT ?)`, promised, rows)
		}},
		{kindRecords, func() (int, error) {
			return l.removeRows(ctx, `DELETE FROM records WHERE seq IN
				(SELECT seq FROM records WHERE received_at < ? AND `+recordIsDone+` ORDER BY seq LIMIT ?)`, promised, rows)
		}},
		{kindEvents, func() (int, error) {
			return l.removeRows(ctx, `DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ? ORDER BY seq LIMIT ?)`, promised, rows)
		}},
		{kindImages, func() (int, error) { return l.removeKeptImages(ctx, over) }},
	} {
		if n, err := step.remove(); err != nil || n > 0 {
			l.space.note(step.kind, n, l.clock().Monotonic)
			return n, err
		}
	}
	return 0, nil
}

// bytesOver returns by how much the images and the pages in use exceed the limit. The outbox and the ids of records
// have limits of their own, and do not count: their approximate size is subtracted.
func (l *Ledger) bytesOver(ctx context.Context) (over int64, err error) {
	err = l.readers.QueryRowContext(ctx, `SELECT (SELECT IFNULL(SUM(image_bytes), 0) FROM job_totals)
		+ ((SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)) * (SELECT page_size FROM pragma_page_size)
		- (SELECT IFNULL(SUM(bytes), 0) FROM outbox_totals)
		- ? * `+idCount, seenBytes).Scan(&over)
	return over - l.config.MaxBytes, err
}

// idCount is the number of ids of records: the oldest are removed first, so no rows must be counted.
const idCount = `(SELECT IFNULL((SELECT MAX(seq) FROM seen) - (SELECT MIN(seq) FROM seen) + 1, 0))`

// idsOver returns by how much the ids of records exceed the limit.
func (l *Ledger) idsOver(ctx context.Context) (over int64, err error) {
	err = l.readers.QueryRowContext(ctx, `SELECT `+idCount).Scan(&over)
	return over - int64(l.config.RememberMax), err
}

// forgetOverCount removes a batch of the oldest ids of records while the limit is exceeded; none younger than MinAge.
func (l *Ledger) forgetOverCount(ctx context.Context, promised int64) (int, error) {
	over, err := l.idsOver(ctx)
	if err != nil || over <= 0 {
		return 0, err
	}
	n, err := l.removeRows(ctx, `DELETE FROM seen WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM seen ORDER BY seq LIMIT ?) WHERE at < ?)`,
		min(over, sweepBatch), promised)
	l.space.note(kindIDs, n, l.clock().Monotonic)
	return n, err
}

// removeKeptImages deletes a batch of the oldest images of finished jobs, no more than needed to free about the given
// bytes. The jobs stay.
func (l *Ledger) removeKeptImages(ctx context.Context, bytes int64) (int, error) {
	if !l.config.KeepImages {
		return 0, nil // each is still needed
	}
	jobs, err := l.doneJobs(ctx, `WHERE kept_since IS NOT NULL AND image = 1 AND `+jobIsDelivered+` ORDER BY kept_since`)
	if err != nil {
		return 0, err
	}
	jobs = upTo(jobs, bytes)
	err = l.writer.write(ctx, func(c *change) error {
		for _, job := range jobs {
			if _, err := c.exec(`UPDATE jobs SET image = 0 WHERE seq = ? AND finished_at IS NOT NULL`, job.seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, job := range jobs {
		l.removeImage(job.id)
	}
	return len(jobs), nil
}

// checkPromises returns an error where MinAge protects all content, as of the last sweep; waiting is the size of the
// images of unfinished jobs in it.
func (l *Ledger) checkPromises(waiting int64) error {
	over, _ := l.space.full()
	switch {
	case over <= 0:
		return nil
	case over <= waiting:
		return l.busy("the images of queued jobs and rows that are too young to be removed take all the space; try again later")
	}
	return &edgelens.NoRoom{Reason: fmt.Sprintf("The ledger is full (ledger.max_bytes) of jobs, results and events that are not removed before they are %v old (ledger.min_age). Try again later, or contact the operator.",
		l.config.MinAge)}
}

// checkIDs returns an error where no more ids of records can be kept.
func (l *Ledger) checkIDs() error {
	if _, over := l.space.full(); over {
		return &edgelens.NoRoom{Reason: fmt.Sprintf("More than %d records (ledger.remember_max) arrived within %v (ledger.min_age), for which their ids are kept.",
			l.config.RememberMax, l.config.MinAge)}
	}
	return nil
}
