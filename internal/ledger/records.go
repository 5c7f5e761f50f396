package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"edgelens"
)

// Records has what terminals report, and makes each record durable once. It is safe for use by many goroutines.
type Records struct {
	db         *database
	admission  *admission
	identities *identities
	images     *Images
	jobs       *Jobs
	results    *Results
	outbox     *Outbox
	chains     *Chains
	due        *dueScan
	// restoredAt is when a backup was last restored; zero for never.
	restoredAt time.Time
	// withoutImage counts the records that were kept without their images.
	withoutImage atomic.Int64
}

// Receive makes a terminal's record durable, once: one with the ID of an earlier record writes nothing, and existing is
// true, unless it is another one by Reception.RepeatsAfter, which gets another ID. An image becomes a queued job, which
// is returned for dispatch; without an image, or with a full queue, there is no job (its ID is empty) and the record
// has its result at once: edgelens.OutcomeNoImage, or OutcomeError with the reason.
//
// Where the image cannot be written, and the database can, the record is kept without it, with OutcomeError and the
// reason.
//
// Errors: edgelens.ErrDiskFull and ErrStorage, where nothing is kept and the device must send the record again, and
// edgelens.ErrInvalid for an incomplete Reception.
func (s *Records) Receive(ctx context.Context, r edgelens.Reception) (job edgelens.Job, existing bool, err error) {
	job, existing, err = s.receive(ctx, r)
	return job, existing, s.db.explain("receive a record of "+r.Record.Device, err)
}

func (s *Records) receive(ctx context.Context, r edgelens.Reception) (edgelens.Job, bool, error) {
	if r.Record.ID == "" || int64(len(r.Image)) != r.Record.ImageBytes {
		return edgelens.Job{}, false, fmt.Errorf("%w: the record has no id, or not the size of its image", edgelens.ErrInvalid)
	}
	// Checked here too, so that a duplicate costs no write.
	existing, repeats, err := s.identities.identify(ctx, &r)
	if err != nil || existing {
		return edgelens.Job{}, existing, err
	}
	s.guardRestored(&r.Record)
	if err := s.admission.checkRecord(ctx, &r.Record); err != nil {
		return edgelens.Job{}, false, err
	}
	job, refusal, err := s.jobOf(ctx, &r)
	if err != nil {
		return edgelens.Job{}, false, err
	}
	if job.ID != "" {
		defer s.images.begin(job.ID)()
		err = s.images.write(job.ID, r.Image)
	}
	if err == nil {
		existing, err = s.add(ctx, &r, repeats, job, refusal)
	}
	if (err != nil || existing) && job.ID != "" {
		s.images.discard(job.ID)
		job = edgelens.Job{}
	}
	if errors.Is(err, errImages) { // the record is kept without its image
		if existing, err = s.add(ctx, &r, repeats, edgelens.Job{}, imageNotStored()); err == nil && !existing {
			s.withoutImage.Add(1)
		}
	}
	return job, existing, err
}

// Record returns a record by its id. Its error is an edgelens.ErrNotFound where there is none, or no longer.
func (s *Records) Record(ctx context.Context, id string) (edgelens.Record, error) {
	r, err := readRecord(s.db.readers.QueryRowContext(ctx, `SELECT `+recordColumns+` FROM records r WHERE r.id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: no record has this id; it may have been removed for its age", edgelens.ErrNotFound)
	}
	return r, s.db.explain("look up record "+id, err)
}

// WithoutImage returns how many records were kept without their images since the start because images could not be
// written.
func (s *Records) WithoutImage() int64 { return s.withoutImage.Load() }

// imageNotStored is the error of a record that was kept without its image.
func imageNotStored() *edgelens.JobError {
	return &edgelens.JobError{Code: edgelens.Code(edgelens.ErrStorage), Detail: "The image could not be stored, so it was not recognized: the service's folder of images cannot be written."}
}

// jobOf returns the job that recognizes the image, or none (its ID is empty) and, where there is an image, the reason.
func (s *Records) jobOf(ctx context.Context, r *edgelens.Reception) (job edgelens.Job, refusal *edgelens.JobError, err error) {
	if len(r.Image) == 0 {
		return edgelens.Job{}, nil, nil
	}
	now := micros(s.db.now())
	spec := r.Job
	spec.Device, spec.Record, spec.SHA256, spec.Bytes = r.Record.Device, r.Record.ID, r.Record.ImageSHA256, r.Record.ImageBytes
	spec.Trace = r.Record.Trace
	spec.IdempotencyKey, spec.Deadline, spec.Queue = "", micros(spec.Deadline), edgelens.QueueInteractive
	waiting, err := unfinishedOfDevice(ctx, s.db.readers, r.Record.Device, r.MaxWaiting)
	if err != nil {
		return edgelens.Job{}, nil, err
	}
	if waiting >= r.MaxInteractive {
		spec.Queue = edgelens.QueueBulk
	}
	err = s.admission.checkSpec(spec, r.Image)
	if err == nil && waiting >= r.MaxWaiting {
		err = s.admission.busy(fmt.Sprintf("%d images of this device are queued, which is the limit", waiting))
	}
	if err == nil {
		_, err = s.admission.admit(ctx, s.db.readers, spec)
	}
	switch {
	case errors.Is(err, edgelens.ErrBusy), errors.Is(err, edgelens.ErrTooLarge):
		return edgelens.Job{}, &edgelens.JobError{Code: edgelens.Code(err), Detail: "The image was not recognized: " + err.Error() + "."}, nil
	case err != nil:
		return edgelens.Job{}, nil, err
	}
	return edgelens.Job{ID: s.db.newJobID(now), JobSpec: spec, Status: edgelens.JobQueued, CreatedAt: now}, nil, nil
}

// add makes a record durable with everything that belongs to it, unless it is a duplicate.
func (s *Records) add(ctx context.Context, r *edgelens.Reception, repeats string, job edgelens.Job, refusal *edgelens.JobError) (existing bool, err error) {
	err = s.db.write(ctx, func(c *change) (err error) {
		if existing, err = s.identities.note(c, r.Record.ID, repeats, s.db.now()); existing || err != nil {
			return err
		}
		return s.insert(c, r, job, refusal)
	})
	return existing, err
}

// insert adds a record, its rows in the outbox, and its job or its result.
func (s *Records) insert(c *change, r *edgelens.Reception, job edgelens.Job, refusal *edgelens.JobError) error {
	if err := insertRecord(c, &r.Record); err != nil {
		return err
	}
	if err := s.chains.place(c, &r.Record); err != nil {
		return err
	}
	held := r.Held != nil && r.Held()
	for _, route := range r.Routes {
		if err := s.outbox.insert(c, &r.Record, route, held, job.ID != ""); err != nil {
			return err
		}
	}
	if job.ID != "" {
		return s.jobs.insert(c, &job)
	}
	item := edgelens.StoredResult{
		ID: r.Record.ID, Source: r.Job.Source, Device: r.Record.Device, CreatedAt: micros(r.Record.ReceivedAt),
		Outcome: edgelens.OutcomeNoImage, Reason: orElse(r.Record.Reason, "The record has no image."), Error: refusal,
	}
	if refusal != nil {
		item.Outcome, item.Reason = edgelens.OutcomeError, refusal.Detail
	}
	if err := s.results.insert(c, &item); err != nil {
		return err
	}
	if err := s.chains.advance(c, r.Record.Device); err != nil {
		return err
	}
	return s.outbox.makeReady(c, r.Record.ID, r.Record.Device)
}

// recordIsDone: no event about the record is undelivered, and its job, if it has one, is finished.
var recordIsDone = noDelivery("records.id") + `
	AND NOT EXISTS (SELECT 1 FROM jobs WHERE record_id = records.id AND finished_at IS NULL)`

// dueRecords finds the records that are due.
func dueRecords(db *database) *dueScan {
	return &dueScan{db: db, table: "records", at: "received_at", free: recordIsDone, id: "''", imageBytes: "0"}
}

// removeOld removes up to n of the oldest records from before the given moment, and returns how many.
func (s *Records) removeOld(ctx context.Context, before int64, n int) (int, error) {
	return s.due.remove(ctx, `DELETE FROM records WHERE seq = ?`, before, n)
}
