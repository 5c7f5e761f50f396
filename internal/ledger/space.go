package ledger

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"edgelens"
)

// What the metrics call what is removed for space.
const (
	kindJobs    = "jobs"
	kindResults = "results"
	kindRecords = "records"
	kindEvents  = "events"
	kindImages  = "images"
	kindIDs     = "ids"
)

const (
	// seenBytes is at least what the id of a record takes in the database, with
	// its index; a test measures it.
	seenBytes = 140
	// spaceWarning is how often the log says that space is short.
	spaceWarning = time.Minute
	// spaceMemory is how long after the last removal for space it still counts as
	// short.
	spaceMemory = 10 * time.Minute
)

// space is what the sweeps have found out about room. It is safe for use by many
// goroutines.
type space struct {
	mu      sync.Mutex
	removed map[string]int64 // for space, since the start
	last    time.Duration    // when that was, by the steady clock
	warned  time.Duration
	unsaid  int64 // removed since the last warning
	// over is by how much what is kept and may not be removed is more than may be
	// kept, as of the last sweep; idsOver says the same of ids.
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
	s.unsaid += int64(n)
	s.last = now
}

// warning returns how much was removed since the last warning, once it is time
// for another.
func (s *space) warning(now time.Duration) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsaid == 0 || now-s.warned < spaceWarning {
		return 0
	}
	n := s.unsaid
	s.unsaid, s.warned = 0, now
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

// short reports whether something was removed for space lately.
func (s *space) short(now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.removed) > 0 && now-s.last < spaceMemory
}

// RemovedForSpace returns how much was removed since the start because there was
// no room, and not for its age, by kind: jobs, results, records, events, images
// (of jobs that are done) and ids (of records that came).
func (l *Ledger) RemovedForSpace() map[string]int64 {
	all := map[string]int64{kindJobs: 0, kindResults: 0, kindRecords: 0, kindEvents: 0, kindImages: 0, kindIDs: 0}
	l.space.mu.Lock()
	defer l.space.mu.Unlock()
	maps.Copy(all, l.space.removed)
	return all
}

// promised is the moment before which nothing is promised any more.
func (l *Ledger) promised(now time.Time) int64 {
	return now.Add(-min(l.config.MinAge, l.config.MaxAge)).UnixMicro()
}

// makeRoom removes what is promised no longer while too much is kept, and takes
// down whether that was enough.
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
		l.log.Error("the ledger is full of what is not old enough to be removed: nothing more is accepted. Raise ledger.max_bytes (or ledger.remember_max), or lower ledger.min_age",
			"over_bytes", max(0, over), "max_bytes", l.config.MaxBytes, "min_age", l.config.MinAge)
	case was && !is:
		l.log.Info("the ledger has room again")
	}
	if n := l.space.warning(l.clock().monotonic); n > 0 {
		l.log.Warn("the ledger removes rows for space before they reach their age: raise ledger.max_bytes, or lower ledger.max_age",
			"rows", n, "max_bytes", l.config.MaxBytes, "max_age", l.config.MaxAge)
	}
}

// removeOverBytes removes a batch of what goes first while too much is kept:
// nothing that is younger than the promise but images.
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
			l.space.note(step.kind, n, l.clock().monotonic)
			return n, err
		}
	}
	return 0, nil
}

// bytesOver returns by how much the images and the pages in use are more than
// may be kept. The outbox and the ids of records have bounds of their own, and
// do not count: about as much as they take is left out.
func (l *Ledger) bytesOver(ctx context.Context) (over int64, err error) {
	err = l.readers.QueryRowContext(ctx, `SELECT (SELECT IFNULL(SUM(image_bytes), 0) FROM job_totals)
		+ ((SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)) * (SELECT page_size FROM pragma_page_size)
		- (SELECT IFNULL(SUM(bytes), 0) FROM outbox_totals)
		- ? * `+idCount, seenBytes).Scan(&over)
	return over - l.config.MaxBytes, err
}

// idCount is how many ids of records there are: they go from the oldest on, so
// nothing must be counted.
const idCount = `(SELECT IFNULL((SELECT MAX(seq) FROM seen) - (SELECT MIN(seq) FROM seen) + 1, 0))`

// idsOver returns how many more ids of records there are than may be.
func (l *Ledger) idsOver(ctx context.Context) (over int64, err error) {
	err = l.readers.QueryRowContext(ctx, `SELECT `+idCount).Scan(&over)
	return over - int64(l.config.RememberMax), err
}

// forgetOverCount removes a batch of the oldest ids of records while there are
// more than may be; none that is younger than the promise.
func (l *Ledger) forgetOverCount(ctx context.Context, promised int64) (int, error) {
	over, err := l.idsOver(ctx)
	if err != nil || over <= 0 {
		return 0, err
	}
	n, err := l.removeRows(ctx, `DELETE FROM seen WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM seen ORDER BY seq LIMIT ?) WHERE at < ?)`,
		min(over, sweepBatch), promised)
	l.space.note(kindIDs, n, l.clock().monotonic)
	return n, err
}

// removeKeptImages deletes a batch of the oldest images of jobs that are done,
// no more than it takes to free about the bytes given. The jobs stay.
func (l *Ledger) removeKeptImages(ctx context.Context, bytes int64) (int, error) {
	if !l.config.KeepImages {
		return 0, nil // each is still wanted by somebody
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

// checkPromises returns an error where all that may be kept is promised, as of
// the last sweep; waiting is how much of it are the images of unfinished jobs.
func (l *Ledger) checkPromises(waiting int64) error {
	over, _ := l.space.full()
	switch {
	case over <= 0:
		return nil
	case over <= waiting:
		return l.busy("the images that are waiting and what is not old enough to be removed take all the space there is; try again later")
	}
	return &edgelens.NoRoom{Reason: fmt.Sprintf("All the space that may be taken (ledger.max_bytes) holds jobs, results and events that are not removed before they are %v old (ledger.min_age). Try again later, or tell the operator.",
		l.config.MinAge)}
}

// checkIDs returns an error where no more ids of records can be kept.
func (l *Ledger) checkIDs() error {
	if _, over := l.space.full(); over {
		return &edgelens.NoRoom{Reason: fmt.Sprintf("More than %d records (ledger.remember_max) came within %v (ledger.min_age), for which they must be known when they come again.",
			l.config.RememberMax, l.config.MinAge)}
	}
	return nil
}
