package ledger

import (
	"context"
)

// jobIsDelivered: no event about the job's record is undelivered.
var jobIsDelivered = `(record_id IS NULL OR ` + noDelivery("jobs.record_id") + `)`

// dueJobs finds the finished jobs that are due.
func dueJobs(db *database) *dueScan {
	return &dueScan{db: db, moved: true, table: "jobs", at: "kept_since", which: "kept_since IS NOT NULL AND ", free: jobIsDelivered, id: "id", imageBytes: "image * bytes"}
}

// removeFinished removes up to n jobs that finished before the given moment, the oldest first, with their results and
// images, and returns how many: no more than needed to free about the given bytes.
func (s *Jobs) removeFinished(ctx context.Context, before int64, n int, bytes int64) (int, error) {
	jobs, err := s.due.next(ctx, before, n, bytes)
	if err != nil || len(jobs) == 0 {
		return 0, err
	}
	err = s.db.write(ctx, func(c *change) error {
		for _, job := range jobs {
			if _, err := c.exec(`DELETE FROM jobs WHERE seq = ? AND finished_at IS NOT NULL`, job.seq); err != nil {
				return err
			}
			if job.imageBytes > 0 {
				c.dropped = append(c.dropped, job.id)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(jobs), nil
}
