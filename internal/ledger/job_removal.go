package ledger

import "context"

// finishedJob has the columns for removing a finished job.
type finishedJob struct {
	seq        int64
	id         string
	imageBytes int64
}

// jobIsDelivered: no event about the job's record is undelivered.
var jobIsDelivered = `(record_id IS NULL OR ` + noDelivery("jobs.record_id") + `)`

// finishedJobs returns a batch of finished jobs; which is the condition.
func finishedJobs(ctx context.Context, q querier, which string, args ...any) (jobs []finishedJob, err error) {
	rows, err := q.QueryContext(ctx, `SELECT seq, id, image * bytes FROM jobs `+which+` LIMIT ?`, append(args, sweepBatch)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var job finishedJob
		if err := rows.Scan(&job.seq, &job.id, &job.imageBytes); err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, rows.Err()
}

// upTo returns as many of the jobs as needed to free the bytes.
func upTo(jobs []finishedJob, bytes int64) []finishedJob {
	for i, job := range jobs {
		if bytes <= 0 {
			return jobs[:i]
		}
		bytes -= job.imageBytes + rowBytes
	}
	return jobs
}

// removeFinished removes a batch of jobs that finished before the given moment, the oldest first, with their results and
// images, and returns how many: no more than needed to free about the given bytes.
func (s *Jobs) removeFinished(ctx context.Context, before, bytes int64) (int, error) {
	jobs, err := finishedJobs(ctx, s.db.readers, `WHERE kept_since < ? AND `+jobIsDelivered+` ORDER BY kept_since`, before)
	if err != nil {
		return 0, err
	}
	if jobs = upTo(jobs, bytes); len(jobs) == 0 {
		return 0, nil
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
