package ledger

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"
)

const (
	// leftoverBatch is how many files are looked at, or images dropped, at a time.
	leftoverBatch = 200
	// leftoverPause follows each batch, so that clients hardly notice it.
	leftoverPause = 5 * time.Millisecond
)

// tidy deletes, beside other work, the images that are not needed: those of finished jobs where they are not kept any more,
// and what a crash left between a file and its row, which is an image that is incomplete, or whose job or example was never
// accepted, or whose job is done. It moves the images of an earlier version into folders. Where that fails, the next start
// tries it again.
func (s *Images) tidy(ctx context.Context) {
	dropped, err := s.dropFormerlyKept(ctx)
	if dropped > 0 {
		s.db.log.Info("removed images of finished jobs, which are not kept (ledger.keep_images)", "images", dropped)
	}
	walk := &imageWalk{files: s.db.images, pause: func() error { return pause(ctx, leftoverPause) }, wanted: func(id string) (wanted bool, err error) {
		err = s.db.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND image = 1) OR EXISTS (SELECT 1 FROM examples WHERE id = ?1)`, id).Scan(&wanted)
		return wanted, err
	}}
	if err == nil {
		err = walk.run()
	}
	folder := slog.String("folder", s.db.images.dir)
	if walk.moved > 0 {
		s.db.log.Info("moved images into folders by day", folder, "images", walk.moved)
	}
	if walk.removed > 0 {
		s.db.log.Info("removed leftover files of a crash", folder, "files", walk.removed)
	}
	if walk.foreign > 0 {
		s.db.log.Warn("the folder of images has files or folders that are not of edgelens, and stay: move them away", folder, "number", walk.foreign, "first", walk.firstForeign)
	}
	if err = errors.Join(err, walk.failed); err != nil && ctx.Err() == nil {
		s.db.log.Warn("removing or moving images failed, retried at the next start", folder, "error", err)
	}
}

// dropFormerlyKept drops the images of finished jobs that are kept by an earlier setting, and returns how many. Those of
// undelivered events stay: they are dropped with their delivery.
func (s *Images) dropFormerlyKept(ctx context.Context) (dropped int, err error) {
	if s.keep {
		return 0, nil
	}
	scan := dueImages(s.db)
	scan.once = true
	scan.free = noDeliveryOfImage("jobs.record_id")
	for {
		jobs, err := scan.next(ctx, math.MaxInt64, leftoverBatch, math.MaxInt64)
		if err != nil {
			return dropped, err
		}
		if err := s.dropAll(ctx, jobs); err != nil {
			return dropped, err
		}
		dropped += len(jobs)
		if len(jobs) == 0 && scan.atEnd {
			return dropped, nil
		}
		if err := pause(ctx, leftoverPause); err != nil {
			return dropped, err
		}
	}
}
