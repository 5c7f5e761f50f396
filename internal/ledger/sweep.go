package ledger

import (
	"context"
	"time"
)

const (
	// sweepBatch is how many rows are removed in one transaction, so that other writers wait only briefly.
	sweepBatch = 200
	// rowBytes is the approximate size of a job in the database, with its result and the indexes.
	rowBytes = 2 << 10
	// vacuumPages is how many free pages are returned to the disk at a time.
	vacuumPages = 256
)

// Undelivered rows are not removed, whatever their age.
const (
	jobIsDelivered    = `(record_id IS NULL OR NOT EXISTS (SELECT 1 FROM outbox WHERE record_id = jobs.record_id))`
	resultIsDelivered = `NOT EXISTS (SELECT 1 FROM outbox WHERE record_id = results.id)`
	recordIsDone      = `NOT EXISTS (SELECT 1 FROM outbox WHERE record_id = records.id)
		AND NOT EXISTS (SELECT 1 FROM jobs WHERE record_id = records.id AND finished_at IS NULL)`
)

// maxRemembered is how many ids of records are kept whatever their age.
const maxRemembered = 100_000

// sweepAlways expires and sweeps every Config.SweepInterval until ctx ends.
func (l *Ledger) sweepAlways(ctx context.Context) {
	defer close(l.sweeperEnd)
	ticker := time.NewTicker(l.config.SweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		expired, err := l.Expire(ctx, l.now())
		if err == nil {
			var removed int
			removed, err = l.Sweep(ctx, l.now())
			if expired > 0 || removed > 0 {
				l.log.Info("swept the ledger", "expired_jobs", expired, "removed_rows", removed)
			}
		}
		if err != nil && ctx.Err() == nil {
			l.log.Error("sweeping the ledger failed, retried later", "error", err)
		}
	}
}

// Sweep removes rows older than Config.MaxAge, events over Config.MaxEvents, and, as long as images and database
// together exceed Config.MaxBytes, the oldest finished jobs, then the oldest results without a job, records and events,
// all only if they are older than Config.MinAge, and then the kept images of younger jobs. A job is removed with its
// result and its image; an unfinished one never is. Where that is not enough, nothing more is accepted. It returns how
// many rows it removed. The ledger calls it every Config.SweepInterval.
func (l *Ledger) Sweep(ctx context.Context, now time.Time) (removed int, err error) {
	// Any transaction first adjusts the ages to a jump of the clock.
	if err := l.writer.write(ctx, func(*change) error { return nil }); err != nil {
		return 0, l.explain("sweep the ledger", err)
	}
	removed, err = l.sweep(ctx, now)
	return removed, l.explain("sweep the ledger", err)
}

func (l *Ledger) sweep(ctx context.Context, now time.Time) (removed int, err error) {
	cutoff := now.Add(-l.config.MaxAge).UnixMicro()
	// Each step removes one batch and returns its number of rows.
	tooOld := []func() (int, error){
		func() (int, error) { return l.shedOld(ctx, now) },
		func() (int, error) { return l.shedOverBytes(ctx) },
		func() (int, error) {
			return l.removeJobs(ctx, `WHERE kept_since < ? AND `+jobIsDelivered+` ORDER BY kept_since`, cutoff)
		},
		func() (int, error) {
			return l.removeRows(ctx, `DELETE FROM results WHERE seq IN
				(SELECT seq FROM results WHERE job_id IS NULL AND created_at < ? AND `+resultIsDelivered+` LIMIT ?)`, cutoff, sweepBatch)
		},
		func() (int, error) {
			return l.removeRows(ctx, `DELETE FROM records WHERE seq IN
				(SELECT seq FROM records WHERE received_at < ? AND `+recordIsDone+` LIMIT ?)`, cutoff, sweepBatch)
		},
		func() (int, error) {
			return l.removeRows(ctx, `DELETE FROM seen WHERE seq IN
				(SELECT seq FROM seen WHERE seq <= (SELECT MAX(seq) FROM seen) - ? AND at < ? ORDER BY seq LIMIT ?)`,
				min(maxRemembered, l.config.RememberMax), now.Add(-l.config.Remember).UnixMicro(), sweepBatch)
		},
		func() (int, error) {
			return l.removeRows(ctx, `DELETE FROM commands WHERE seq IN
				(SELECT seq FROM commands WHERE created_at < ? AND deadline < ? LIMIT ?)`, cutoff, now.UnixMicro(), sweepBatch)
		},
		func() (int, error) {
			return l.removeRows(ctx, `DELETE FROM events WHERE seq IN
				(SELECT seq FROM events WHERE at < ? LIMIT ?)`, cutoff, sweepBatch)
		},
		func() (int, error) {
			return l.removeRows(ctx, `DELETE FROM events WHERE seq IN
				(SELECT seq FROM events WHERE seq <= (SELECT MAX(seq) FROM events) - ? ORDER BY seq LIMIT ?)`, l.config.MaxEvents, sweepBatch)
		},
	}
	for _, step := range tooOld {
		n, err := repeat(step)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	n, err := l.makeRoom(ctx, now)
	removed += n
	if err != nil {
		return removed, err
	}
	_, err = repeat(func() (int, error) { return l.vacuum(ctx) })
	return removed, err
}

// repeat runs step until it returns 0, and returns the sum.
func repeat(step func() (int, error)) (sum int, err error) {
	for {
		n, err := step()
		sum += n
		if err != nil || n == 0 {
			return sum, err
		}
	}
}

// doneJob has the columns for removing a job.
type doneJob struct {
	seq        int64
	id         string
	imageBytes int64
}

// removeJobs removes a batch of finished jobs; which is the condition.
func (l *Ledger) removeJobs(ctx context.Context, which string, args ...any) (int, error) {
	jobs, err := l.doneJobs(ctx, which, args...)
	if err != nil {
		return 0, err
	}
	return l.remove(ctx, jobs)
}

// removeOldestJobs removes a batch of jobs that finished before the given moment, no more than needed to free about the
// given bytes.
func (l *Ledger) removeOldestJobs(ctx context.Context, bytes, before int64) (int, error) {
	jobs, err := l.doneJobs(ctx, `WHERE kept_since < ? AND `+jobIsDelivered+` ORDER BY kept_since`, before)
	if err != nil {
		return 0, err
	}
	return l.remove(ctx, upTo(jobs, bytes))
}

// upTo returns as many of the jobs as needed to free the bytes.
func upTo(jobs []doneJob, bytes int64) []doneJob {
	for i, job := range jobs {
		if bytes <= 0 {
			return jobs[:i]
		}
		bytes -= job.imageBytes + rowBytes
	}
	return jobs
}

func (l *Ledger) doneJobs(ctx context.Context, which string, args ...any) (jobs []doneJob, err error) {
	rows, err := l.readers.QueryContext(ctx, `SELECT seq, id, image * bytes FROM jobs `+which+` LIMIT ?`, append(args, sweepBatch)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var job doneJob
		if err := rows.Scan(&job.seq, &job.id, &job.imageBytes); err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, rows.Err()
}

// remove deletes the rows of finished jobs, with their results, then their images.
func (l *Ledger) remove(ctx context.Context, jobs []doneJob) (int, error) {
	if len(jobs) == 0 {
		return 0, nil
	}
	err := l.writer.write(ctx, func(c *change) error {
		for _, job := range jobs {
			if _, err := c.exec(`DELETE FROM jobs WHERE seq = ? AND finished_at IS NOT NULL`, job.seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, job := range jobs {
		if job.imageBytes > 0 {
			l.removeImage(job.id)
		}
	}
	return len(jobs), nil
}

// removeRows runs a DELETE and returns how many rows that removed.
func (l *Ledger) removeRows(ctx context.Context, query string, args ...any) (int, error) {
	var removed int64
	err := l.writer.write(ctx, func(c *change) (err error) {
		removed, err = c.exec(query, args...)
		return err
	})
	return int(removed), err
}

// vacuum returns a batch of free pages to the disk and the number of pages, or 0 where the few free ones will be reused
// soon.
func (l *Ledger) vacuum(ctx context.Context) (int, error) {
	var free int
	if err := l.readers.QueryRowContext(ctx, `PRAGMA freelist_count`).Scan(&free); err != nil || free < vacuumPages {
		return 0, err
	}
	err := l.writer.write(ctx, func(c *change) error {
		// It frees one page per row read.
		rows, err := c.QueryContext(ctx, `PRAGMA incremental_vacuum(256)`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	})
	return vacuumPages, err
}
