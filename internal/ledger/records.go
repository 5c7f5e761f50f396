package ledger

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/internal/uuid7"
)

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
func (l *Ledger) Receive(ctx context.Context, r edgelens.Reception) (job edgelens.Job, existing bool, err error) {
	job, existing, err = l.receive(ctx, r)
	return job, existing, l.explain("receive a record of "+r.Record.Device, err)
}

func (l *Ledger) receive(ctx context.Context, r edgelens.Reception) (edgelens.Job, bool, error) {
	if r.Record.ID == "" || int64(len(r.Image)) != r.Record.ImageBytes {
		return edgelens.Job{}, false, fmt.Errorf("%w: the record has no id, or not the size of its image", edgelens.ErrInvalid)
	}
	// Checked here too, so that a duplicate costs no write.
	existing, repeats, err := l.identify(ctx, &r)
	if err != nil || existing {
		return edgelens.Job{}, existing, err
	}
	if err := l.checkReception(ctx, &r); err != nil {
		return edgelens.Job{}, false, err
	}
	job, refusal, err := l.jobOf(ctx, &r)
	if err != nil {
		return edgelens.Job{}, false, err
	}
	if job.ID != "" {
		err = l.writeImage(job.ID, r.Image)
	}
	if err == nil {
		existing, err = l.addReception(ctx, &r, repeats, job, refusal)
	}
	if (err != nil || existing) && job.ID != "" {
		l.removeImage(job.ID)
		job = edgelens.Job{}
	}
	if errors.Is(err, errImages) { // the record is kept without its image
		if existing, err = l.addReception(ctx, &r, repeats, edgelens.Job{}, imageNotStored()); err == nil && !existing {
			l.storage.mu.Lock()
			l.storage.withoutImage++
			l.storage.mu.Unlock()
		}
	}
	return job, existing, err
}

// imageNotStored is the error of a record that was kept without its image.
func imageNotStored() *edgelens.JobError {
	return &edgelens.JobError{Code: edgelens.Code(edgelens.ErrStorage), Detail: "The image could not be stored, so it was not recognized: the service's folder of images cannot be written."}
}

// checkReception returns an error where the record cannot be made durable, or no more can be accepted.
func (l *Ledger) checkReception(ctx context.Context, r *edgelens.Reception) error {
	if err := l.checkWritable(); err != nil {
		return err
	}
	if err := l.checkRoom(r.Record.ImageBytes); err != nil {
		return err
	}
	if err := l.checkIDs(); err != nil {
		return err
	}
	if over, _ := l.space.full(); over <= 0 {
		return nil
	}
	var waiting int64
	err := l.readers.QueryRowContext(ctx, `SELECT IFNULL(SUM(image_bytes), 0) FROM job_totals WHERE status IN ('queued', 'running')`).Scan(&waiting)
	if err == nil {
		err = l.checkPromises(waiting)
	}
	if errors.Is(err, edgelens.ErrBusy) {
		return nil // the record has room; jobOf decides on its image
	}
	return err
}

// addReception makes a record durable with everything that belongs to it, unless it is a duplicate.
func (l *Ledger) addReception(ctx context.Context, r *edgelens.Reception, repeats string, job edgelens.Job, refusal *edgelens.JobError) (existing bool, err error) {
	err = l.change(ctx, func(c *change) (err error) {
		if existing, err = c.note(r.Record.ID, repeats, l.now()); existing || err != nil {
			return err
		}
		c.newFile = job.ID != ""
		return c.insertReception(r, job, refusal)
	})
	return existing, err
}

// jobOf returns the job that recognizes the image, or none (its ID is empty) and, where there is an image, the reason.
func (l *Ledger) jobOf(ctx context.Context, r *edgelens.Reception) (job edgelens.Job, refusal *edgelens.JobError, err error) {
	if len(r.Image) == 0 {
		return edgelens.Job{}, nil, nil
	}
	now := micros(l.now())
	spec := r.Job
	spec.Device, spec.Record, spec.SHA256, spec.Bytes = r.Record.Device, r.Record.ID, r.Record.ImageSHA256, r.Record.ImageBytes
	spec.IdempotencyKey, spec.Deadline, spec.Queue = "", micros(spec.Deadline), edgelens.QueueInteractive
	waiting, err := l.waitingOf(ctx, r.Record.Device, r.MaxWaiting)
	if err != nil {
		return edgelens.Job{}, nil, err
	}
	if waiting >= r.MaxInteractive {
		spec.Queue = edgelens.QueueBulk
	}
	err = l.checkSpec(spec, r.Image)
	if err == nil && waiting >= r.MaxWaiting {
		err = l.busy(fmt.Sprintf("%d images of this device are queued, which is the limit", waiting))
	}
	if err == nil {
		_, err = l.admit(ctx, l.readers, spec)
	}
	switch {
	case errors.Is(err, edgelens.ErrBusy), errors.Is(err, edgelens.ErrTooLarge):
		return edgelens.Job{}, &edgelens.JobError{Code: edgelens.Code(err), Detail: "The image was not recognized: " + err.Error() + "."}, nil
	case err != nil:
		return edgelens.Job{}, nil, err
	}
	return edgelens.Job{ID: uuid7.New(now), JobSpec: spec, Status: edgelens.JobQueued, CreatedAt: now}, nil, nil
}

// waitingOf counts the queued images of a device, up to limit.
func (l *Ledger) waitingOf(ctx context.Context, device string, limit int) (waiting int, err error) {
	err = l.readers.QueryRowContext(ctx, `SELECT COUNT(*) FROM
		(SELECT 1 FROM jobs WHERE device = ? AND device <> '' AND finished_at IS NULL LIMIT ?)`, device, limit).Scan(&waiting)
	return waiting, err
}

// insertReception writes all rows of a record.
func (c *change) insertReception(r *edgelens.Reception, job edgelens.Job, refusal *edgelens.JobError) error {
	if err := c.insertRecord(&r.Record); err != nil {
		return err
	}
	held := r.Held != nil && r.Held()
	for _, route := range r.Routes {
		if err := c.insertRow(&r.Record, route, held, job.ID != ""); err != nil {
			return err
		}
	}
	if job.ID != "" {
		return c.insertJob(&job)
	}
	item := edgelens.StoredResult{
		ID: r.Record.ID, Source: r.Job.Source, Device: r.Record.Device, CreatedAt: micros(r.Record.ReceivedAt),
		Outcome: edgelens.OutcomeNoImage, Reason: orElse(r.Record.Reason, "The record has no image."), Error: refusal,
	}
	if refusal != nil {
		item.Outcome, item.Reason = edgelens.OutcomeError, refusal.Detail
	}
	if err := c.insertResult(&item); err != nil {
		return err
	}
	return c.makeReady(r.Record.ID, r.Record.Device)
}

func (c *change) insertRecord(r *edgelens.Record) error {
	_, err := c.exec(`INSERT INTO records (id, dialect, device, kind, record_key, passed, person_id, person_name, person_type, person_code,
		verdict, captured_at, received_at, retained, freshness, freshness_reason, doubt, image_sha256, image_bytes, reason)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.Dialect, r.Device, r.Kind, r.Key, r.Passed, r.Person.ID, r.Person.Name, r.Person.Type, r.Person.Code,
		textOrNull(string(r.Verdict)), timeOrNull(r.CapturedAt), r.ReceivedAt.UnixMicro(), r.Retained,
		string(r.Freshness), r.FreshnessReason, r.Doubt, r.ImageSHA256, r.ImageBytes, r.Reason)
	return err
}
