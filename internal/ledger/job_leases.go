package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edgelens"
)

// maxStarts is the number of starts with which a job fails as poison: no earlier attempt reported an outcome, which is
// the effect of an image that crashes the program.
const maxStarts = 3

// CodePoison is the code of a job that failed for being started too often.
const CodePoison = "poison"

// Start leases a queued job to a worker, or a running one to another, and returns its image. The attempt is durable
// before the image is read. A job past its deadline expires instead, and the third start fails the job with CodePoison
// instead.
//
// Jobs with an earlier attempt without an outcome run one at a time: when the program crashes again, that job is the
// cause. The others wait. One that was started within a minute of the opening before this one is started from 5 s after
// this one, so that it is not under way again when the program ends again at once.
//
// Errors: edgelens.ErrNotFound, also for a job that is held since a restore, and edgelens.ErrFinished where there is nothing left to do, whether the job was done before or
// by this call; the job is then returned as it is. *edgelens.Busy where a waiting job cannot start within 2 s, or at
// once where the ledger must be open longer; no attempt is counted then.
func (s *Jobs) Start(ctx context.Context, id string) (job edgelens.Job, image []byte, err error) {
	job, image, err = s.start(ctx, id)
	return job, image, s.db.explain("start job "+id, err)
}

func (s *Jobs) start(ctx context.Context, id string) (edgelens.Job, []byte, error) {
	job, refusal, err := s.begin(ctx, id)
	if err != nil {
		return job.Job, nil, err
	}
	s.admission.noteStart()
	if refusal != nil {
		return job.Job, nil, fmt.Errorf("%w with the status %s: %s", edgelens.ErrFinished, job.Status, refusal.Detail)
	}
	image, err := s.images.read(job.Job)
	if errors.Is(err, errImageLost) {
		lost := &edgelens.JobError{Code: edgelens.Code(edgelens.ErrNoImage), Detail: "The image was lost on the disk. Send it again."}
		ended, endErr := s.finish(ctx, id, ending{status: edgelens.JobFailed, err: lost})
		if endErr == nil {
			s.db.log.Error("the image of a job is missing, job failed", "job", id)
			endErr = fmt.Errorf("%w with the status failed: %s", edgelens.ErrFinished, lost.Detail)
		}
		return ended, nil, endErr
	}
	return job.Job, image, err
}

// begin counts a start, or ends the job and returns why it is refused. It waits its turn where the last attempt has no
// outcome.
func (s *Jobs) begin(ctx context.Context, id string) (job jobRow, refusal *edgelens.JobError, err error) {
	timeout := time.NewTimer(poisonTimeout)
	defer timeout.Stop()
	for {
		var ahead <-chan struct{}
		err = s.db.writeWithOthers(ctx, func(c *change) (err error) {
			if job, err = jobByID(ctx, c, id); err != nil {
				return err
			}
			if job.Status.Terminal() {
				return terminalError(job.Status)
			}
			if job.Held {
				return heldError()
			}
			now := micros(c.begun.Wall)
			if !job.Deadline.IsZero() && !now.Before(job.Deadline) {
				refusal = deadlineError()
				return s.end(c, &job.Job, ending{status: edgelens.JobExpired, err: refusal}, now)
			}
			if job.Attempts+1 >= maxStarts {
				job.Attempts++
				refusal = poisonError()
				return s.end(c, &job.Job, ending{status: edgelens.JobFailed, err: refusal}, now)
			}
			if job.Status == edgelens.JobRunning {
				if err := s.db.tooEarly(&job.Job, c.begun.Monotonic); err != nil {
					return err
				}
				if ahead = s.poisonCandidate.become(id); ahead != nil {
					return nil
				}
			}
			job.Attempts++
			job.Status, job.StartedAt = edgelens.JobRunning, now
			return s.move(c, &job.Job, now)
		})
		if err != nil || ahead == nil {
			return job, refusal, err
		}
		if err := await(ctx, ahead, s.db.closing, timeout.C); err != nil {
			return job, nil, err
		}
	}
}

// Release puts a running job back into the queue, after a failure that may be temporary. refund uncounts the attempt:
// for failures that the image did not cause, such as a busy service. A queued job does not change. Errors:
// edgelens.ErrNotFound, edgelens.ErrFinished.
func (s *Jobs) Release(ctx context.Context, id string, refund bool) error {
	err := s.db.write(ctx, func(c *change) error {
		job, err := jobByID(ctx, c, id)
		switch {
		case err != nil:
			return err
		case job.Status.Terminal():
			return terminalError(job.Status)
		case job.Status == edgelens.JobQueued:
			return nil
		}
		s.poisonCandidate.clear(id)
		job.Status = edgelens.JobQueued
		if refund {
			job.Attempts--
		}
		return s.move(c, &job.Job, micros(s.db.now()))
	})
	return s.db.explain("release job "+id, err)
}
