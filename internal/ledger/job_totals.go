package ledger

import (
	"context"

	"edgelens"
)

// allImageBytes is the size of the images of all jobs.
const allImageBytes = `(SELECT IFNULL(SUM(image_bytes), 0) FROM job_totals)`

// QueueStatus is a queue and a state of the jobs in it.
type QueueStatus struct {
	Queue  string
	Status edgelens.JobStatus
}

// jobTotal is the number of jobs in a QueueStatus, and the size of their images.
type jobTotal struct{ jobs, imageBytes int64 }

// jobTotals returns the totals that triggers maintain; missing means 0.
func jobTotals(ctx context.Context, q querier) (map[QueueStatus]jobTotal, error) {
	rows, err := q.QueryContext(ctx, `SELECT queue, status, jobs, image_bytes FROM job_totals`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	totals := map[QueueStatus]jobTotal{}
	for rows.Next() {
		var of QueueStatus
		var total jobTotal
		if err := rows.Scan(&of.Queue, &of.Status, &total.jobs, &total.imageBytes); err != nil {
			return nil, err
		}
		totals[of] = total
	}
	return totals, rows.Err()
}

// unfinishedJobs returns the number of queued jobs, and the size of the images of queued and running ones.
func unfinishedJobs(ctx context.Context, q querier) (queued, imageBytes int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT IFNULL(SUM(jobs), 0) FROM job_totals WHERE status = 'queued'),
		(SELECT IFNULL(SUM(image_bytes), 0) FROM job_totals WHERE status IN ('queued', 'running'))`).Scan(&queued, &imageBytes)
	return queued, imageBytes, err
}
