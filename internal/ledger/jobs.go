package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"edgelens"
	"edgelens/internal/stored"
)

// selectJob selects what readJob reads.
const selectJob = `SELECT j.seq, j.id, j.source, j.device, j.queue, j.model, j.top_k, j.min_score, j.no_cache, j.sha256, j.bytes,
	j.idempotency_key, j.deadline, j.status, j.attempts, j.created_at, j.started_at, j.finished_at,
	j.error_code, j.error_detail, j.image, j.record_id, r.result
	FROM jobs j LEFT JOIN results r ON r.job_id = j.id`

// jobRow is a job with its internal columns.
type jobRow struct {
	edgelens.Job
	seq   int64
	image bool
}

func readJob(row interface{ Scan(...any) error }) (edgelens.Job, error) {
	job, err := readJobRow(row)
	return job.Job, err
}

func readJobRow(row interface{ Scan(...any) error }) (job jobRow, err error) {
	var (
		key, code, detail, record, result    sql.NullString
		deadline, created, started, finished sql.NullInt64
	)
	err = row.Scan(&job.seq, &job.ID, &job.Source, &job.Device, &job.Queue, &job.Model, &job.TopK, &job.MinScore, &job.NoCache,
		&job.SHA256, &job.Bytes, &key, &deadline, &job.Status, &job.Attempts, &created, &started, &finished,
		&code, &detail, &job.image, &record, &result)
	if err != nil {
		return jobRow{}, err
	}
	job.IdempotencyKey, job.Record = key.String, record.String
	job.Deadline, job.CreatedAt = timeOf(deadline), timeOf(created)
	job.StartedAt, job.FinishedAt = timeOf(started), timeOf(finished)
	job.Error = errorOf(code, detail)
	job.Result, err = resultOf(result)
	if err != nil {
		return jobRow{}, fmt.Errorf("read the result of job %s: %w", job.ID, err)
	}
	return job, nil
}

func (c *change) insertJob(job *edgelens.Job) error {
	_, err := c.exec(`INSERT INTO jobs (id, source, device, queue, model, top_k, min_score, no_cache, sha256, bytes,
		idempotency_key, deadline, status, created_at, record_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		job.ID, job.Source, job.Device, job.Queue, job.Model, job.TopK, job.MinScore, job.NoCache, job.SHA256, job.Bytes,
		textOrNull(job.IdempotencyKey), timeOrNull(job.Deadline), string(job.Status), job.CreatedAt.UnixMicro(), textOrNull(job.Record))
	if err != nil {
		return err
	}
	return c.jobEvent(job, job.CreatedAt)
}

// Job returns a job, with its result or error if it is done. Its error is an edgelens.ErrNotFound where there is none,
// or where it was removed for its age.
func (l *Ledger) Job(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := jobByID(ctx, l.readers, id)
	return job.Job, l.explain("look up job "+id, err)
}

func jobByID(ctx context.Context, q querier, id string) (jobRow, error) {
	job, err := readJobRow(q.QueryRowContext(ctx, selectJob+` WHERE j.id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: no job has this id; it may have been removed for its age", edgelens.ErrNotFound)
	}
	return job, err
}

// Wait returns the job as soon as it is terminal, or as it is when ctx ends. Thousands of callers may wait. Errors:
// edgelens.ErrNotFound, and ErrStopping where the ledger is closed first.
func (l *Ledger) Wait(ctx context.Context, id string) (edgelens.Job, error) {
	done, leave := l.watchers.watch(id)
	defer leave()
	lookUp := context.WithoutCancel(ctx)
	job, err := l.Job(lookUp, id)
	if err != nil || job.Status.Terminal() {
		return job, err
	}
	select {
	case <-done:
	case <-ctx.Done():
	case <-l.closing:
		return edgelens.Job{}, l.explain("wait for job "+id, edgelens.ErrStopping)
	}
	return l.Job(lookUp, id)
}

// Jobs lists jobs, the newest first, and returns the cursor of the next page; empty where there is none. Jobs accepted
// meanwhile do not move the pages. Its error is an edgelens.ErrInvalid for a bad filter.
func (l *Ledger) Jobs(ctx context.Context, filter edgelens.JobFilter) (page []edgelens.Job, next string, err error) {
	page, next, err = l.jobs(ctx, filter)
	return page, next, l.explain("list jobs", err)
}

// The names of the lists, in their cursors.
const (
	jobList    = "jobs"
	resultList = "results"
)

func (l *Ledger) jobs(ctx context.Context, filter edgelens.JobFilter) (page []edgelens.Job, next string, err error) {
	before, err := parseCursor(jobList, filter.Cursor)
	if err != nil {
		return nil, "", err
	}
	limit, err := pageLimit(filter.Limit)
	if err != nil {
		return nil, "", err
	}
	query, args := selectJob+` WHERE j.seq < ?`, []any{before}
	if filter.Status != "" {
		if !slices.Contains(statuses, filter.Status) {
			return nil, "", fmt.Errorf("%w: there is no job status %q", edgelens.ErrInvalid, filter.Status)
		}
		query, args = query+` AND j.status = ?`, append(args, string(filter.Status))
	}
	// One more than requested shows whether there is a next page.
	rows, err := l.jobRows(ctx, query+` ORDER BY j.seq DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = newCursor(jobList, rows[limit-1].seq)
	}
	for _, row := range rows {
		page = append(page, row.Job)
	}
	return page, next, nil
}

// statuses are the states that a job can be in.
var statuses = []edgelens.JobStatus{
	edgelens.JobQueued, edgelens.JobRunning, edgelens.JobSucceeded, edgelens.JobFailed, edgelens.JobCanceled, edgelens.JobExpired,
}

func (l *Ledger) jobRows(ctx context.Context, query string, args ...any) (jobs []jobRow, err error) {
	rows, err := l.readers.QueryContext(ctx, query, args...)
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

// unfinishedPage is how many jobs Unfinished holds at a time.
const unfinishedPage = 500

// Unfinished yields every job that is not terminal, the oldest first: those to be queued again after a restart. It
// reads some at a time and holds no lock between them, so the caller may be slow and may change the jobs; jobs accepted
// meanwhile are yielded too. An error ends it.
func (l *Ledger) Unfinished(ctx context.Context) iter.Seq2[edgelens.Job, error] {
	return func(yield func(edgelens.Job, error) bool) {
		for after := int64(0); ; {
			page, err := l.jobRows(ctx, selectJob+` WHERE j.finished_at IS NULL AND j.seq > ? ORDER BY j.seq LIMIT ?`, after, unfinishedPage)
			if err != nil {
				yield(edgelens.Job{}, l.explain("list the unfinished jobs", err))
				return
			}
			for _, job := range page {
				if !yield(job.Job, nil) {
					return
				}
				after = job.seq
			}
			if len(page) < unfinishedPage {
				return
			}
		}
	}
}

// Image returns the encoded image of a job. Its error is an edgelens.ErrNotFound where there is no such job or its
// image was deleted, as it is when a job is done unless Config.KeepImages.
func (l *Ledger) Image(ctx context.Context, id string) ([]byte, error) {
	action := "read the image of job " + id
	job, err := jobByID(ctx, l.readers, id)
	if err != nil {
		return nil, l.explain(action, err)
	}
	image, err := l.readImage(job.Job)
	if !job.image || errors.Is(err, errImageLost) {
		err = fmt.Errorf("%w: its image was deleted", edgelens.ErrNotFound)
	}
	return image, l.explain(action, err)
}

// micros is t as it is stored: in UTC, to the microsecond.
func micros(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func timeOrNull(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func timeOf(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}

func textOrNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func errorOf(code, detail sql.NullString) *edgelens.JobError {
	if !code.Valid {
		return nil
	}
	return &edgelens.JobError{Code: code.String, Detail: detail.String}
}

func resultOf(text sql.NullString) (*edgelens.Result, error) {
	if !text.Valid {
		return nil, nil
	}
	return stored.UnmarshalResult([]byte(text.String))
}
