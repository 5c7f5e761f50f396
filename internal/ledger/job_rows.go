package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"edgelens"
)

// selectJob selects what readJobRow reads.
const selectJob = `SELECT j.seq, j.id, j.source, j.device, j.queue, j.model, j.task, j.top_k, j.min_score, j.no_cache, j.sha256, j.bytes,
	j.idempotency_key, j.deadline, j.status, j.attempts, j.created_at, j.started_at, j.finished_at,
	j.error_code, j.error_detail, j.image, j.record_id, j.owner, j.fit, j.region, j.held, j.trace, r.result
	FROM jobs j LEFT JOIN results r ON r.job_id = j.id`

// jobRow is a job with its internal columns.
type jobRow struct {
	edgelens.Job
	seq   int64
	image bool
}

func readJobRow(row interface{ Scan(...any) error }) (job jobRow, err error) {
	var (
		key, code, detail, record, result    sql.NullString
		region, trace                        string
		deadline, created, started, finished sql.NullInt64
	)
	err = row.Scan(&job.seq, &job.ID, &job.Source, &job.Device, &job.Queue, &job.Model, &job.Task, &job.TopK, &job.MinScore, &job.NoCache,
		&job.SHA256, &job.Bytes, &key, &deadline, &job.Status, &job.Attempts, &created, &started, &finished,
		&code, &detail, &job.image, &record, &job.Owner, &job.View.Fit, &region, &job.Held, &trace, &result)
	if err != nil {
		return jobRow{}, err
	}
	if job.View.Region, err = edgelens.ParseRegion(region); err != nil {
		return jobRow{}, fmt.Errorf("read the region of job %s: %w", job.ID, err)
	}
	job.Trace = edgelens.ParseTrace(trace)
	job.IdempotencyKey, job.Record = unscoped(job.Owner, key.String), record.String
	job.Deadline, job.CreatedAt = timeOf(deadline), timeOf(created)
	job.StartedAt, job.FinishedAt = timeOf(started), timeOf(finished)
	job.Error = errorOf(code, detail)
	job.Result, err = resultOf(result)
	if err != nil {
		return jobRow{}, fmt.Errorf("read the result of job %s: %w", job.ID, err)
	}
	return job, nil
}

func jobByID(ctx context.Context, q querier, id string) (jobRow, error) {
	job, err := readJobRow(q.QueryRowContext(ctx, selectJob+` WHERE j.id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: no job has this id; it may have been removed for its age", edgelens.ErrNotFound)
	}
	return job, err
}

func jobRows(ctx context.Context, q querier, query string, args ...any) (jobs []jobRow, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		job, err := readJobRow(rows)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, rows.Err()
}

// scoped returns an idempotency key as it is stored: each owner has keys of its own. The owner is in front of it, with a
// line feed that no key has (see checkSpec).
func scoped(owner, key string) string {
	if owner == "" || key == "" {
		return key
	}
	return owner + "\n" + key
}

// unscoped is the reverse of scoped.
func unscoped(owner, key string) string { return strings.TrimPrefix(key, owner+"\n") }

// earlierJob returns the earlier job with spec's key; nil where there is none. Its error is an edgelens.ErrConflict where
// that is for other work.
func earlierJob(ctx context.Context, q querier, spec edgelens.JobSpec) (*edgelens.Job, error) {
	if spec.IdempotencyKey == "" {
		return nil, nil
	}
	job, err := readJobRow(q.QueryRowContext(ctx, selectJob+` WHERE j.idempotency_key = ?`, scoped(spec.Owner, spec.IdempotencyKey)))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case !sameWork(job.JobSpec, spec):
		return nil, fmt.Errorf("%w: the idempotency key was used for another image or other options; use a new key", edgelens.ErrConflict)
	}
	return &job.Job, nil
}

// sameWork reports whether two specs differ in nothing but the deadline and the trace, which a client sets anew when it
// retries.
func sameWork(a, b edgelens.JobSpec) bool {
	a.Deadline, b.Deadline, a.Trace, b.Trace = time.Time{}, time.Time{}, "", ""
	return a == b
}

// unfinishedOfDevice counts the unfinished jobs of a device that are not held, up to limit.
func unfinishedOfDevice(ctx context.Context, q querier, device string, limit int) (n int, err error) {
	err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM
		(SELECT 1 FROM jobs WHERE device = ? AND device <> '' AND finished_at IS NULL AND held = 0 LIMIT ?)`, device, limit).Scan(&n)
	return n, err
}

// insert adds a job, whose image was written, with its event.
func (s *Jobs) insert(c *change, job *edgelens.Job) error {
	c.newFile = true
	_, err := c.exec(`INSERT INTO jobs (id, source, device, queue, model, task, top_k, min_score, no_cache, sha256, bytes,
		idempotency_key, deadline, status, created_at, record_id, owner, fit, region, trace) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		job.ID, job.Source, job.Device, job.Queue, job.Model, job.Task, job.TopK, job.MinScore, job.NoCache, job.SHA256, job.Bytes,
		textOrNull(scoped(job.Owner, job.IdempotencyKey)), timeOrNull(job.Deadline), string(job.Status), job.CreatedAt.UnixMicro(), textOrNull(job.Record), job.Owner,
		string(job.View.Fit), job.View.Region.String(), string(job.Trace))
	if err != nil {
		return err
	}
	return s.events.insert(c, jobEvent(job, job.CreatedAt))
}

// move writes the mutable columns of a job, and its event.
func (s *Jobs) move(c *change, job *edgelens.Job, now time.Time) error {
	var code, detail any
	if job.Error != nil {
		code, detail = job.Error.Code, job.Error.Detail
	}
	_, err := c.exec(`UPDATE jobs SET status = ?, attempts = ?, started_at = ?, finished_at = ?, kept_since = ?, error_code = ?, error_detail = ? WHERE id = ?`,
		string(job.Status), job.Attempts, timeOrNull(job.StartedAt), timeOrNull(job.FinishedAt), timeOrNull(job.FinishedAt), code, detail, job.ID)
	if err != nil {
		return err
	}
	return s.events.insert(c, jobEvent(job, now))
}
