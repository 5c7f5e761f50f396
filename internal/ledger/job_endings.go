package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edgelens"
)

// ending is how a job ends: with a result, an error, or neither.
type ending struct {
	status edgelens.JobStatus
	result *edgelens.Result
	err    *edgelens.JobError
}

// Finish ends a job with its result: it has succeeded. Errors: edgelens.ErrNotFound, edgelens.ErrFinished where it was done
// already (and nothing changes), edgelens.ErrInvalid for a result that cannot be JSON, such as one with a probability
// of NaN.
func (s *Jobs) Finish(ctx context.Context, id string, result *edgelens.Result) error {
	action := "finish job " + id
	if result == nil {
		return s.db.explain(action, fmt.Errorf("%w: there is no result", edgelens.ErrInvalid))
	}
	_, err := s.finish(ctx, id, ending{status: edgelens.JobSucceeded, result: result})
	return s.db.explain(action, err)
}

// Fail ends a job with an error. Errors: edgelens.ErrNotFound, edgelens.ErrFinished
// where it was done already (and nothing changes).
func (s *Jobs) Fail(ctx context.Context, id string, reason edgelens.JobError) error {
	_, err := s.finish(ctx, id, ending{status: edgelens.JobFailed, err: &reason})
	return s.db.explain("fail job "+id, err)
}

// Cancel cancels a job and returns it. Errors: edgelens.ErrNotFound, edgelens.ErrFinished where it was done already (and nothing
// changes; the job is returned as it is).
func (s *Jobs) Cancel(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := s.finish(ctx, id, ending{status: edgelens.JobCanceled})
	return job, s.db.explain("cancel job "+id, err)
}

// expireBatch is how many jobs expire in one transaction.
const expireBatch = 200

// Expire ends every job whose deadline is not after now, but for those that are held, and returns how many. The ledger calls it every
// Config.SweepInterval.
func (s *Jobs) Expire(ctx context.Context, now time.Time) (expired int, err error) {
	now = micros(now)
	for {
		late, err := jobRows(ctx, s.db.readers, selectJob+` WHERE j.finished_at IS NULL AND j.held = 0 AND j.deadline <= ? ORDER BY j.deadline LIMIT ?`, now.UnixMicro(), expireBatch)
		if err != nil || len(late) == 0 {
			return expired, s.db.explain("expire jobs", err)
		}
		ended := 0
		err = s.db.write(ctx, func(c *change) error {
			for _, row := range late {
				// It may have changed since it was listed, or its deadline moved.
				job, err := jobByID(ctx, c, row.ID)
				if errors.Is(err, edgelens.ErrNotFound) || err == nil && (job.Status.Terminal() || now.Before(job.Deadline)) {
					continue
				}
				if err == nil {
					err = s.end(c, &job.Job, ending{status: edgelens.JobExpired, err: deadlineError()}, now)
				}
				if err != nil {
					return err
				}
				ended++
			}
			return nil
		})
		if err != nil || ended == 0 {
			return expired, s.db.explain("expire jobs", err)
		}
		expired += ended
	}
}

func deadlineError() *edgelens.JobError {
	return &edgelens.JobError{Code: edgelens.Code(edgelens.ErrDeadline), Detail: "The job was not done by its deadline. Send it again with a later one."}
}

func poisonError() *edgelens.JobError {
	return &edgelens.JobError{Code: CodePoison, Detail: fmt.Sprintf(
		"The job was started %d times and never came to an end; its image may crash the service. Send another image.", maxStarts-1)}
}

func terminalError(status edgelens.JobStatus) error {
	return fmt.Errorf("%w with the status %s", edgelens.ErrFinished, status)
}

// finish ends a job in a transaction of its own and returns it; a terminal one is returned as it is, with edgelens.ErrFinished.
func (s *Jobs) finish(ctx context.Context, id string, e ending) (edgelens.Job, error) {
	write := s.db.writeWithOthers // a worker's next job waits no longer
	if e.status == edgelens.JobCanceled {
		write = s.db.write // a client waits
	}
	var job jobRow
	err := write(ctx, func(c *change) (err error) {
		if job, err = jobByID(ctx, c, id); err != nil {
			return err
		}
		if job.Status.Terminal() {
			return terminalError(job.Status)
		}
		return s.end(c, &job.Job, e, micros(s.db.now()))
	})
	return job.Job, err
}

// end moves a job that is not terminal to its terminal state, writes the history and the events, releases its outbox
// rows, and drops the image, all in the change.
func (s *Jobs) end(c *change, job *edgelens.Job, e ending, now time.Time) error {
	job.Status, job.FinishedAt, job.Result, job.Error = e.status, now, e.result, e.err
	if err := s.move(c, job, now); err != nil {
		return err
	}
	c.finished = append(c.finished, job.ID)
	s.db.freed.Add(1)
	s.poisonCandidate.clear(job.ID)
	if e.result != nil || e.err != nil || job.Record != "" {
		item := itemOf(job)
		if err := s.results.insert(c, &item); err != nil {
			return err
		}
	}
	if job.Record != "" {
		if err := s.chains.advance(c, job.Device); err != nil {
			return err
		}
		if err := s.outbox.makeReady(c, job.Record, job.Device); err != nil {
			return err
		}
	}
	return s.images.drop(c, job.ID, job.Record)
}
