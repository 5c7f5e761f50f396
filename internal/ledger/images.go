package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"edgelens"
)

// errImageLost: the image's file is missing.
var errImageLost = errors.New("the image is lost")

// Images has the encoded images of the jobs: files, and in each job's row whether it has one. It is safe for use by many
// goroutines.
type Images struct {
	db *database
	// keep keeps the images of finished jobs.
	keep bool
	due  *dueScan
}

// Image returns the encoded image of a job. Its error is an edgelens.ErrNotFound where there is no such job or its
// image was deleted, as it is when a job is done unless Config.KeepImages.
func (s *Images) Image(ctx context.Context, id string) ([]byte, error) {
	action := "read the image of job " + id
	job, err := jobByID(ctx, s.db.readers, id)
	if err != nil {
		return nil, s.db.explain(action, err)
	}
	image, err := s.read(job.Job)
	if !job.image || errors.Is(err, errImageLost) {
		err = fmt.Errorf("%w: its image was deleted", edgelens.ErrNotFound)
	}
	return image, s.db.explain(action, err)
}

// read returns the image of a job, or errImageLost.
func (s *Images) read(job edgelens.Job) ([]byte, error) {
	image, err := s.db.images.read(job.ID)
	if errors.Is(err, fs.ErrNotExist) || err == nil && int64(len(image)) != job.Bytes {
		return nil, errImageLost
	}
	return image, err
}

// begin must be called before write; settled, once the job's row is durable, or never will be.
func (s *Images) begin(id string) (settled func()) { return s.db.images.begin(id) }

// write writes the image of a job, which becomes durable with the job's row. The error is errImages where the database
// is unaffected.
func (s *Images) write(id string, image []byte) error { return s.db.images.write(id, image) }

// discard deletes an image that no row refers to.
func (s *Images) discard(id string) { s.db.images.remove(id) }

// drop marks the image of a finished job for deletion, unless it is kept or an outbox row needs it.
func (s *Images) drop(c *change, job, record string) error {
	if s.keep {
		return nil
	}
	touched, err := c.exec(`UPDATE jobs SET image = 0 WHERE id = ? AND image = 1 AND finished_at IS NOT NULL
		AND `+noDeliveryOfImage("?"), job, record)
	if touched > 0 {
		c.dropped = append(c.dropped, job)
	}
	return err
}

// dropOfRecord is drop for the job of a record, if it has one.
func (s *Images) dropOfRecord(c *change, record string) error {
	var job sql.NullString
	err := c.QueryRowContext(context.Background(), `SELECT (SELECT id FROM jobs WHERE record_id = ?)`, record).Scan(&job)
	if err != nil || !job.Valid {
		return err
	}
	return s.drop(c, job.String, record)
}

// dropKept deletes a batch of the oldest images of finished jobs, no more than needed to free about the given bytes. The
// jobs stay.
func (s *Images) dropKept(ctx context.Context, bytes int64) (int, error) {
	if !s.keep {
		return 0, nil // each is still needed
	}
	jobs, err := s.due.next(ctx, math.MaxInt64, sweepBatch, bytes)
	if err != nil || len(jobs) == 0 {
		return 0, err
	}
	if err := s.dropAll(ctx, jobs); err != nil {
		return 0, err
	}
	return len(jobs), nil
}

// dropAll deletes the images of finished jobs. The jobs stay.
func (s *Images) dropAll(ctx context.Context, jobs []dueRow) error {
	if len(jobs) == 0 {
		return nil
	}
	return s.db.write(ctx, func(c *change) error {
		for _, job := range jobs {
			if _, err := c.exec(`UPDATE jobs SET image = 0 WHERE seq = ? AND finished_at IS NOT NULL`, job.seq); err != nil {
				return err
			}
			c.dropped = append(c.dropped, job.id)
		}
		return nil
	})
}

// removeOld deletes a batch of the kept images of jobs that were accepted before those that finished at the given moment, and
// returns how many. The jobs stay.
func (s *Images) removeOld(ctx context.Context, before int64) (int, error) {
	if !s.keep {
		return 0, nil // each is still needed
	}
	last, err := s.lastFinished(ctx, before)
	if err != nil {
		return 0, err
	}
	jobs, err := s.due.next(ctx, last+1, sweepBatch, math.MaxInt64)
	if err != nil {
		return 0, err
	}
	return len(jobs), s.dropAll(ctx, jobs)
}

// lastFinished returns the seq of the last job that finished before the given moment; 0 for none.
func (s *Images) lastFinished(ctx context.Context, before int64) (seq int64, err error) {
	spans := s.db.clockSteps().before(before)
	for i := len(spans) - 1; i >= 0; i-- {
		err = s.db.readers.QueryRowContext(ctx, `SELECT seq FROM jobs WHERE kept_since IS NOT NULL AND kept_since >= ? AND kept_since < ? ORDER BY kept_since DESC LIMIT 1`,
			spans[i].from, spans[i].until).Scan(&seq)
		if !errors.Is(err, sql.ErrNoRows) {
			return seq, err
		}
	}
	return 0, nil
}

// dueImages finds the finished jobs with an image, in the order in which they were accepted: by an index that has no others.
func dueImages(db *database) *dueScan {
	return &dueScan{db: db, table: "jobs INDEXED BY jobs_with_old_image", at: "seq", which: "finished_at IS NOT NULL AND image = 1 AND ", free: jobIsDelivered, id: "id", imageBytes: "bytes"}
}
