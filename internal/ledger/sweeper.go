package ledger

import (
	"context"
	"math"
	"sync"
	"time"
)

const (
	// sweepBatch is the maximum number of rows that are removed in one transaction, and minSweepBatch the fewest: what
	// takes longer than sweepTime is removed in smaller batches, so that other writers wait only briefly.
	sweepBatch, minSweepBatch = 200, 10
	sweepTime                 = 5 * time.Millisecond
	// rowBytes is the approximate size of a job in the database, with its result and the indexes.
	rowBytes = 2 << 10
	// vacuumPages is how many free pages are returned to the disk at a time.
	vacuumPages = 256
)

// sweeper removes what is too old, and what exceeds the limits.
type sweeper struct {
	config     Config
	db         *database
	space      *space
	jobs       *Jobs
	results    *Results
	records    *Records
	identities *identities
	commands   *Commands
	events     *Events
	outbox     *Outbox
	images     *Images
	insights   *Insights
	states     *States
	chains     *Chains
	deviceKeys *DeviceKeys
	sensors    *sensorSweeper

	// mu is held during a sweep.
	mu sync.Mutex
	// batch is how many rows are removed in one transaction; it follows from how long the last ones took.
	batch int
}

// run expires jobs and sweeps every Config.SweepInterval until ctx ends.
func (s *sweeper) run(ctx context.Context) {
	ticker := time.NewTicker(s.config.SweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		expired, err := s.jobs.Expire(ctx, s.db.now())
		if err == nil {
			var removed int
			removed, err = s.sweep(ctx, s.db.now())
			if expired > 0 || removed > 0 {
				s.db.log.Info("swept the ledger", "expired_jobs", expired, "removed_rows", removed)
			}
		}
		if err != nil && ctx.Err() == nil {
			s.db.log.Error("sweeping the ledger failed, retried later", "error", err)
		}
	}
}

// sweep removes rows older than Config.MaxAge or their own age, events and commands over their numbers, and, as long as images
// and database together exceed Config.MaxBytes, the oldest of the kinds that take more than their shares: finished jobs, results
// without a job, records and events only if they are older than Config.MinAge, kept images of any age. A job is removed with its
// result and its image; an unfinished one never is, nor what belongs to an undelivered event. Where that is not enough,
// nothing more is accepted. It returns how many rows it removed.
func (s *sweeper) sweep(ctx context.Context, now time.Time) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Any transaction first adjusts the ages to a jump of the clock.
	if err := s.db.write(ctx, func(*change) error { return nil }); err != nil {
		return 0, s.db.explain("sweep the ledger", err)
	}
	removed, err = s.removeAll(ctx, now)
	if err == nil {
		err = s.db.forgetClockSteps(ctx)
	}
	return removed, s.db.explain("sweep the ledger", err)
}

func (s *sweeper) removeAll(ctx context.Context, now time.Time) (removed int, err error) {
	tooOld := func(own time.Duration) int64 { return now.Add(-s.config.ageOf(own)).UnixMicro() }
	ages := s.config.Ages
	// Each step removes one batch and returns its number of rows.
	for _, step := range []func() (int, error){
		func() (int, error) { return s.outbox.shedOld(ctx, now) },
		func() (int, error) { return s.outbox.shedOverBytes(ctx) },
		func() (int, error) { return s.jobs.removeFinished(ctx, tooOld(0), s.batch, math.MaxInt64) },
		func() (int, error) { return s.results.removeOld(ctx, tooOld(ages.Results), s.batch) },
		func() (int, error) { return s.records.removeOld(ctx, tooOld(ages.Records), s.batch) },
		func() (int, error) { return s.identities.removeOld(ctx, now) },
		func() (int, error) { return s.commands.removeOld(ctx, tooOld(ages.Commands), now) },
		func() (int, error) { return s.commands.removeOverCount(ctx, s.config.MaxCommands, now) },
		func() (int, error) { return s.images.removeOld(ctx, tooOld(ages.Images)) },
		func() (int, error) { return s.events.removeOld(ctx, tooOld(ages.Events), s.batch) },
		func() (int, error) { return s.deviceKeys.removeStamps(ctx, now) },
		func() (int, error) { return s.events.removeOverCount(ctx, s.config.MaxEvents) },
		func() (int, error) {
			return s.insights.removeOld(ctx, now.Add(-s.config.SensorKeepMinutes).UnixMicro())
		},
		func() (int, error) { return s.states.removeOld(ctx, now.Add(-s.config.StatesKeep).UnixMicro()) },
	} {
		n, err := s.repeat(ctx, step)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	for _, make := range []func(context.Context, time.Time) (int, error){s.sensors.sweep, s.makeRoom} {
		n, err := make(ctx, now)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	links, err := s.chains.sweep(ctx)
	removed += links
	if err != nil {
		return removed, err
	}
	_, err = s.repeat(ctx, func() (int, error) { return s.vacuum(ctx) })
	return removed, err
}

// repeat runs step, which removes a batch, until it returns 0, and returns the sum. While others write, too, it pauses after
// each batch for as long as that took.
func (s *sweeper) repeat(ctx context.Context, step func() (int, error)) (sum int, err error) {
	for {
		begun, others := time.Now(), s.db.writer.changed.Load()
		n, err := step()
		sum += n
		if err != nil || n == 0 {
			return sum, err
		}
		took := time.Since(begun)
		s.adapt(n, took)
		if s.db.writer.changed.Load() > others+1 {
			if err := pause(ctx, took); err != nil {
				return sum, err
			}
		}
	}
}

// adapt chooses the size of the next batches by the time that one of n rows took.
func (s *sweeper) adapt(n int, took time.Duration) {
	switch {
	case took > sweepTime:
		s.batch = max(minSweepBatch, s.batch/2)
	case took < sweepTime/2 && n >= s.batch:
		s.batch = min(sweepBatch, 2*s.batch)
	}
}

// pause waits for the time, and returns ctx's error where that ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// repeat runs step until it returns 0, and returns the sum.
func repeat(step func() (int, error)) (sum int, err error) {
	for {
		n, err := step()
		sum += n
		if err != nil || n == 0 {
			return sum, err
		}
	}
}

// vacuum returns a batch of free pages to the disk and the number of pages, or 0 where the few free ones will be reused
// soon.
func (s *sweeper) vacuum(ctx context.Context) (int, error) {
	var free int
	if err := s.db.readers.QueryRowContext(ctx, `PRAGMA freelist_count`).Scan(&free); err != nil || free < vacuumPages {
		return 0, err
	}
	err := s.db.write(ctx, func(c *change) error {
		// It frees one page per row read.
		rows, err := c.QueryContext(ctx, `PRAGMA incremental_vacuum(256)`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	})
	return vacuumPages, err
}
