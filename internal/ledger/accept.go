package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"edgelens"
	"edgelens/internal/uuid7"
)

// The bounds of Retry-After.
const (
	minRetry = time.Second
	maxRetry = time.Minute
)

// Accept makes a job of spec and its encoded image durable and returns it, queued. spec.SHA256 must be the image's
// digest; image is only read.
//
// A spec with the IdempotencyKey of an earlier job that is equal in all but the deadline returns that job, in whatever
// state it is, with existing true, and writes nothing. A key is stored as long as its job.
//
// Errors: edgelens.ErrInvalid or ErrNoImage for a bad spec, ErrTooLarge for an image over the limit, ErrConflict for a
// key that was used for something else, *edgelens.Busy for a full queue, ErrDiskFull for a full disk. Nothing is stored
// then.
func (l *Ledger) Accept(ctx context.Context, spec edgelens.JobSpec, image []byte) (job edgelens.Job, existing bool, err error) {
	job, existing, err = l.accept(ctx, spec, image)
	return job, existing, l.explain("accept a job", err)
}

func (l *Ledger) accept(ctx context.Context, spec edgelens.JobSpec, image []byte) (edgelens.Job, bool, error) {
	if err := l.checkSpec(spec, image); err != nil {
		return edgelens.Job{}, false, err
	}
	// Checked here too, so that a refusal costs no write.
	earlier, err := l.admit(ctx, l.readers, spec)
	if err != nil || earlier != nil {
		return valueOf(earlier), earlier != nil, err
	}
	if err := l.checkWritable(); err != nil {
		return edgelens.Job{}, false, err
	}
	if err := l.checkRoom(spec.Bytes); err != nil {
		return edgelens.Job{}, false, err
	}
	arrived := l.clock()
	now := micros(arrived.Wall)
	spec.Deadline = micros(spec.Deadline)
	job := edgelens.Job{ID: uuid7.New(now), JobSpec: spec, Status: edgelens.JobQueued, CreatedAt: now}
	if err := l.writeImage(job.ID, image); err != nil {
		return edgelens.Job{}, false, err
	}
	err = l.writer.write(ctx, func(c *change) error {
		earlier, err = l.admit(ctx, c, spec)
		if err != nil || earlier != nil {
			return err
		}
		c.newFile = true
		if !job.Deadline.IsZero() {
			job.Deadline = job.Deadline.Add(arrived.JumpTo(c.begun, jumpAfter))
		}
		return c.insertJob(&job)
	})
	if err != nil || earlier != nil {
		l.removeImage(job.ID)
		return valueOf(earlier), earlier != nil, err
	}
	return job, false, nil
}

func valueOf(job *edgelens.Job) edgelens.Job {
	if job == nil {
		return edgelens.Job{}
	}
	return *job
}

func (l *Ledger) checkSpec(spec edgelens.JobSpec, image []byte) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", edgelens.ErrInvalid, fmt.Sprintf(format, args...))
	}
	digest, err := hex.DecodeString(spec.SHA256)
	switch {
	case len(image) == 0:
		return edgelens.ErrNoImage
	case int64(len(image)) != spec.Bytes:
		return invalid("the image has %d bytes, not %d", len(image), spec.Bytes)
	case err != nil || len(digest) != 32:
		return invalid("%q is not a SHA-256 in hexadecimal", spec.SHA256)
	case spec.Queue != edgelens.QueueInteractive && spec.Queue != edgelens.QueueBulk:
		return invalid("the queue must be %s or %s, not %q", edgelens.QueueInteractive, edgelens.QueueBulk, spec.Queue)
	case spec.Bytes > l.config.MaxBytes:
		return fmt.Errorf("%w: the image has %d bytes, and all images together may have %d (max_bytes)", edgelens.ErrTooLarge, spec.Bytes, l.config.MaxBytes)
	}
	return edgelens.CheckOptions(spec.TopK, spec.MinScore)
}

// admit returns the earlier job with spec's key, if any, or an error where spec cannot be accepted now.
func (l *Ledger) admit(ctx context.Context, q querier, spec edgelens.JobSpec) (earlier *edgelens.Job, err error) {
	if spec.IdempotencyKey != "" {
		job, err := readJob(q.QueryRowContext(ctx, selectJob+` WHERE j.idempotency_key = ?`, spec.IdempotencyKey))
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return nil, err
		case !sameWork(job.JobSpec, spec):
			return nil, fmt.Errorf("%w: the idempotency key was used for another image or other options; use a new key", edgelens.ErrConflict)
		default:
			return &job, nil
		}
	}
	var queued, unfinishedBytes int64
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT IFNULL(SUM(jobs), 0) FROM job_totals WHERE status = 'queued'),
		(SELECT IFNULL(SUM(image_bytes), 0) FROM job_totals WHERE status IN ('queued', 'running'))`).Scan(&queued, &unfinishedBytes)
	switch {
	case err != nil:
		return nil, err
	case queued >= int64(l.config.MaxQueued):
		return nil, l.busy(fmt.Sprintf("%d jobs are queued, which is the limit; try again later", queued))
	case unfinishedBytes+spec.Bytes > l.config.MaxBytes:
		return nil, l.busy("the images of queued jobs take all the space allowed; try again later")
	}
	return nil, l.checkPromises(unfinishedBytes)
}

// sameWork reports whether two specs differ in nothing but the deadline, which a client sets anew when it retries.
func sameWork(a, b edgelens.JobSpec) bool {
	a.Deadline, b.Deadline = time.Time{}, time.Time{}
	return a == b
}

// busy predicts that the queue stalls as long again as it has: a measurement where workers are leasing jobs, longer
// where none is.
func (l *Ledger) busy(reason string) *edgelens.Busy {
	still := l.clock().Monotonic - time.Duration(l.lastStart.Load())
	return &edgelens.Busy{RetryAfter: min(max(still, minRetry), maxRetry), Reason: reason}
}

// checkRoom returns an error where the disk of the database has too little room, or would have with that many bytes
// more, if images are on it too.
func (l *Ledger) checkRoom(bytes int64) error {
	if !l.sameDisk() {
		bytes = 0
	}
	return l.checkDisk(l.dir, bytes)
}

func (l *Ledger) checkDisk(dir string, bytes int64) error {
	free, err := freeBytes(dir)
	if err != nil {
		return err
	}
	if free-bytes < l.config.MinFreeBytes {
		return fmt.Errorf("%w: %d bytes are free in %s and %d must stay so (min_free_bytes); free some space", edgelens.ErrDiskFull, free, dir, l.config.MinFreeBytes)
	}
	return nil
}

// writeImage writes an image, which becomes durable with the row of its job. The error is errImages where the database
// is unaffected.
func (l *Ledger) writeImage(id string, image []byte) error {
	var err error
	if !l.sameDisk() {
		err = l.checkDisk(l.images.dir, int64(len(image)))
	}
	if err == nil {
		err = l.images.write(id, image)
	}
	if l.imagesAlone(err) {
		return l.explainImages(err)
	}
	return err
}

// removeImage deletes an image without a row. Where that fails, the next Open retries.
func (l *Ledger) removeImage(id string) {
	if err := l.images.remove(id); err != nil {
		l.log.Warn("deleting an image failed, retried at the next start", "job", id, "error", err)
	}
}
