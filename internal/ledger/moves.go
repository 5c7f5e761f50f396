package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"edgelens"
)

// maxStarts is the number of starts with which a job fails as poison: no earlier attempt reported an outcome, which is
// the effect of an image that crashes the program.
const maxStarts = 3

// CodePoison is the code of a job that failed for being started too often.
const CodePoison = "poison"

// errImageLost: the image's file is missing.
var errImageLost = errors.New("the image is lost")

// Start leases a queued job to a worker, or a running one to another, and returns its image. The attempt is durable
// before the image is read. A job past its deadline expires instead, and the third start fails the job with CodePoison
// instead.
//
// Jobs with an earlier attempt without an outcome run one at a time: when the program crashes again, that job is the
// cause. The others wait.
//
// Errors: edgelens.ErrNotFound, and edgelens.ErrFinished where there is nothing left to do, whether the job was done before or
// by this call; the job is then returned as it is. *edgelens.Busy where a waiting job cannot start within 2 s; no
// attempt is counted then.
func (l *Ledger) Start(ctx context.Context, id string) (job edgelens.Job, image []byte, err error) {
	job, image, err = l.start(ctx, id)
	return job, image, l.explain("start job "+id, err)
}

func (l *Ledger) start(ctx context.Context, id string) (edgelens.Job, []byte, error) {
	job, refusal, err := l.begin(ctx, id)
	if err != nil {
		return job.Job, nil, err
	}
	l.lastStart.Store(int64(l.clock().Monotonic))
	if refusal != nil {
		return job.Job, nil, fmt.Errorf("%w with the status %s: %s", edgelens.ErrFinished, job.Status, refusal.Detail)
	}
	image, err := l.readImage(job.Job)
	if errors.Is(err, errImageLost) {
		lost := &edgelens.JobError{Code: edgelens.Code(edgelens.ErrNoImage), Detail: "The image was lost on the disk. Send it again."}
		ended, endErr := l.finish(ctx, id, ending{status: edgelens.JobFailed, err: lost})
		if endErr == nil {
			l.log.Error("the image of a job is missing, job failed", "job", id)
			endErr = fmt.Errorf("%w with the status failed: %s", edgelens.ErrFinished, lost.Detail)
		}
		return ended, nil, endErr
	}
	return job.Job, image, err
}

// begin counts a start, or ends the job and returns why it is refused. It waits its turn where the last attempt has no
// outcome.
func (l *Ledger) begin(ctx context.Context, id string) (job jobRow, refusal *edgelens.JobError, err error) {
	timeout := time.NewTimer(poisonTimeout)
	defer timeout.Stop()
	for {
		var ahead <-chan struct{}
		err = l.change(ctx, func(c *change) (err error) {
			if job, err = jobByID(ctx, c, id); err != nil {
				return err
			}
			if job.Status.Terminal() {
				return terminalError(job.Status)
			}
			now := micros(c.begun.Wall)
			if !job.Deadline.IsZero() && !now.Before(job.Deadline) {
				refusal = deadlineError()
				return l.end(c, &job.Job, ending{status: edgelens.JobExpired, err: refusal}, now)
			}
			if job.Attempts+1 >= maxStarts {
				job.Attempts++
				refusal = poisonError()
				return l.end(c, &job.Job, ending{status: edgelens.JobFailed, err: refusal}, now)
			}
			if job.Status == edgelens.JobRunning {
				if ahead = l.poisonCandidate.become(id); ahead != nil {
					return nil
				}
			}
			job.Attempts++
			job.Status, job.StartedAt = edgelens.JobRunning, now
			return c.moveJob(&job.Job, now)
		})
		if err != nil || ahead == nil {
			return job, refusal, err
		}
		if err := l.await(ctx, ahead, timeout.C); err != nil {
			return job, nil, err
		}
	}
}

// readImage returns the image of a job, or errImageLost.
func (l *Ledger) readImage(job edgelens.Job) ([]byte, error) {
	image, err := l.images.read(job.ID)
	if errors.Is(err, fs.ErrNotExist) || err == nil && int64(len(image)) != job.Bytes {
		return nil, errImageLost
	}
	return image, err
}

// Release puts a running job back into the queue, after a failure that may be temporary. refund uncounts the attempt:
// for failures that the image did not cause, such as a busy service. A queued job does not change. Errors:
// edgelens.ErrNotFound, edgelens.ErrFinished.
func (l *Ledger) Release(ctx context.Context, id string, refund bool) error {
	err := l.change(ctx, func(c *change) error {
		job, err := jobByID(ctx, c, id)
		switch {
		case err != nil:
			return err
		case job.Status.Terminal():
			return terminalError(job.Status)
		case job.Status == edgelens.JobQueued:
			return nil
		}
		l.poisonCandidate.clear(id)
		job.Status = edgelens.JobQueued
		if refund {
			job.Attempts--
		}
		return c.moveJob(&job.Job, micros(l.now()))
	})
	return l.explain("release job "+id, err)
}

// Finish ends a job with its result: it has succeeded. Errors: edgelens.ErrNotFound, edgelens.ErrFinished where it was done
// already (and nothing changes), edgelens.ErrInvalid for a result that cannot be JSON, such as one with a probability
// of NaN.
func (l *Ledger) Finish(ctx context.Context, id string, result *edgelens.Result) error {
	action := "finish job " + id
	if result == nil {
		return l.explain(action, fmt.Errorf("%w: there is no result", edgelens.ErrInvalid))
	}
	_, err := l.finish(ctx, id, ending{status: edgelens.JobSucceeded, result: result})
	return l.explain(action, err)
}

// Fail ends a job with an error. Errors: edgelens.ErrNotFound, edgelens.ErrFinished
// where it was done already (and nothing changes).
func (l *Ledger) Fail(ctx context.Context, id string, reason edgelens.JobError) error {
	_, err := l.finish(ctx, id, ending{status: edgelens.JobFailed, err: &reason})
	return l.explain("fail job "+id, err)
}

// Cancel cancels a job and returns it. Errors: edgelens.ErrNotFound, edgelens.ErrFinished where it was done already (and nothing
// changes; the job is returned as it is).
func (l *Ledger) Cancel(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := l.finish(ctx, id, ending{status: edgelens.JobCanceled})
	return job, l.explain("cancel job "+id, err)
}

// expireBatch is how many jobs expire in one transaction.
const expireBatch = 200

// Expire ends every job whose deadline is not after now, and returns how many. The ledger calls it every
// Config.SweepInterval.
func (l *Ledger) Expire(ctx context.Context, now time.Time) (expired int, err error) {
	now = micros(now)
	for {
		late, err := l.jobRows(ctx, selectJob+` WHERE j.finished_at IS NULL AND j.deadline <= ? ORDER BY j.deadline LIMIT ?`, now.UnixMicro(), expireBatch)
		if err != nil || len(late) == 0 {
			return expired, l.explain("expire jobs", err)
		}
		ended := 0
		err = l.change(ctx, func(c *change) error {
			for _, row := range late {
				// It may have changed since it was listed, or its deadline moved.
				job, err := jobByID(ctx, c, row.ID)
				if errors.Is(err, edgelens.ErrNotFound) || err == nil && (job.Status.Terminal() || now.Before(job.Deadline)) {
					continue
				}
				if err == nil {
					err = l.end(c, &job.Job, ending{status: edgelens.JobExpired, err: deadlineError()}, now)
				}
				if err != nil {
					return err
				}
				ended++
			}
			return nil
		})
		if err != nil || ended == 0 {
			return expired, l.explain("expire jobs", err)
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

// ending is how a job ends: with a result, an error, or neither.
type ending struct {
	status edgelens.JobStatus
	result *edgelens.Result
	err    *edgelens.JobError
}

// finish ends a job in a transaction of its own and returns it; a terminal one is returned as it is, with edgelens.ErrFinished.
func (l *Ledger) finish(ctx context.Context, id string, e ending) (edgelens.Job, error) {
	var job jobRow
	err := l.change(ctx, func(c *change) (err error) {
		if job, err = jobByID(ctx, c, id); err != nil {
			return err
		}
		if job.Status.Terminal() {
			return terminalError(job.Status)
		}
		return l.end(c, &job.Job, e, micros(l.now()))
	})
	return job.Job, err
}

// end moves a job that is not terminal to its terminal state, writes the history and the events, releases its outbox
// rows, and drops the image, all in the change.
func (l *Ledger) end(c *change, job *edgelens.Job, e ending, now time.Time) error {
	job.Status, job.FinishedAt, job.Result, job.Error = e.status, now, e.result, e.err
	if err := c.moveJob(job, now); err != nil {
		return err
	}
	c.finished = append(c.finished, job.ID)
	l.poisonCandidate.clear(job.ID)
	if e.result != nil || e.err != nil || job.Record != "" {
		item := itemOf(job)
		if err := c.insertResult(&item); err != nil {
			return err
		}
	}
	if job.Record != "" {
		if err := c.makeReady(job.Record, job.Device); err != nil {
			return err
		}
	}
	return l.dropImage(c, job.ID, job.Record)
}

// moveJob writes the mutable columns of a job, and its event.
func (c *change) moveJob(job *edgelens.Job, now time.Time) error {
	var code, detail any
	if job.Error != nil {
		code, detail = job.Error.Code, job.Error.Detail
	}
	_, err := c.exec(`UPDATE jobs SET status = ?, attempts = ?, started_at = ?, finished_at = ?, kept_since = ?, error_code = ?, error_detail = ? WHERE id = ?`,
		string(job.Status), job.Attempts, timeOrNull(job.StartedAt), timeOrNull(job.FinishedAt), timeOrNull(job.FinishedAt), code, detail, job.ID)
	if err != nil {
		return err
	}
	return c.jobEvent(job, now)
}

// dropImage marks the image of a finished job for deletion, unless it is kept or an outbox row needs it.
func (l *Ledger) dropImage(c *change, job, record string) error {
	if l.config.KeepImages {
		return nil
	}
	touched, err := c.exec(`UPDATE jobs SET image = 0 WHERE id = ? AND image = 1 AND finished_at IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE record_id = ? AND image = 1)`, job, record)
	if touched > 0 {
		c.dropped = append(c.dropped, job)
	}
	return err
}

// change makes a change durable, then deletes the images that it dropped.
func (l *Ledger) change(ctx context.Context, do func(*change) error) error {
	var dropped []string
	err := l.writer.write(ctx, func(c *change) error {
		err := do(c)
		dropped = c.dropped
		return err
	})
	if err == nil {
		for _, id := range dropped {
			l.removeImage(id)
		}
	}
	return err
}
