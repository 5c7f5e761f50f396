package ledger

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds the contents of the ledger.
type Config struct {
	// MaxAge is how long a finished job with its result is kept, and what else has no age of its own.
	MaxAge time.Duration
	// Ages are those of other kinds.
	Ages Ages
	// Shares are the parts of MaxBytes that belong to a kind.
	Shares Shares
	// MinAge is guaranteed: a finished job, its result and its events, and the id of a record, are not removed for
	// space while they are younger, or younger than MaxAge where that is less. Where they alone take all the space,
	// nothing more is accepted.
	MinAge time.Duration
	// MaxBytes is how large images and database together may grow before the oldest rows and images are removed of the kinds that
	// take more than their Shares.
	// Unfinished jobs are never removed; where their images alone reach it, no more are accepted. The outbox, the
	// points of sensors, the examples and the ids of records do not count: their limits are OutboxMaxBytes, SensorMaxBytes,
	// LearnMaxBytes and RememberMax.
	MaxBytes int64
	// MaxEvents is how many events are kept, MaxCommands how many commands that are no longer to be sent.
	MaxEvents, MaxCommands int
	// KeepImages keeps a job's image as long as the job. Without it, an image is deleted when its job is done.
	KeepImages bool
	// KeepSync keeps the results of recognitions that were answered at once. The ledger does not use it: who answers
	// them records them.
	KeepSync bool
	// MaxQueued is the maximum number of queued jobs; more are refused with edgelens.Busy.
	MaxQueued int
	// MinFreeBytes is how much of the disk must stay free: below it, nothing is accepted, so that accepted jobs can
	// still be finished.
	MinFreeBytes int64
	// OutboxMaxAge and OutboxMaxBytes bound the undelivered events, images included. Over them, the oldest rows are
	// dropped and counted, except those of access records.
	OutboxMaxAge   time.Duration
	OutboxMaxBytes int64
	// Remember is how long the ids of records are kept, so that duplicates are recognized; at least the last 100,000
	// are, whatever their age.
	Remember time.Duration
	// RememberMax is how many ids are kept; over it the oldest are removed early. One takes about 70 bytes.
	RememberMax int
	// SensorKeepPoints is how long single values of sensors are kept, SensorKeepMinutes the summaries of their minutes and
	// insights. SensorMaxBytes is how large values and summaries together may grow before the oldest are removed;
	// they do not count for MaxBytes.
	SensorKeepPoints, SensorKeepMinutes time.Duration
	SensorMaxBytes                      int64
	// LearnMaxExamples is how many examples the datasets may have together, and LearnMaxBytes how large their images and
	// embeddings may be; more are refused. They do not count for MaxBytes, and none is removed.
	LearnMaxExamples, LearnMaxBytes int64
	// StatesKeep is how long the changes of states are kept.
	StatesKeep time.Duration
	// SweepInterval is how often jobs past their deadline expire and rows over the bounds are removed.
	SweepInterval time.Duration
}

// DefaultConfig keeps a week, 2 GiB and 100,000 events, and guarantees an hour.
func DefaultConfig() Config {
	return Config{
		MaxAge:       7 * 24 * time.Hour,
		MinAge:       time.Hour,
		MaxBytes:     2 << 30,
		Shares:       Shares{Jobs: 40, Results: 10, Records: 15, Events: 5, Images: 25},
		MaxEvents:    100_000,
		MaxCommands:  10_000,
		MaxQueued:    10_000,
		MinFreeBytes: 64 << 20,

		OutboxMaxAge:   30 * 24 * time.Hour,
		OutboxMaxBytes: 1 << 30,
		Remember:       180 * 24 * time.Hour,
		RememberMax:    2_000_000,

		SensorKeepPoints:  24 * time.Hour,
		SensorKeepMinutes: 30 * 24 * time.Hour,
		StatesKeep:        90 * 24 * time.Hour,
		SensorMaxBytes:    256 << 20,

		LearnMaxExamples: 20_000,
		LearnMaxBytes:    1 << 30,

		SweepInterval: 5 * time.Second,
	}
}

// Validate reports all errors at once, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.MaxAge < time.Minute {
		problem("max_age must be at least 1m, not %v", c.MaxAge)
	}
	if c.MinAge < time.Minute {
		problem("min_age must be at least 1m, so that polling clients find the result, not %v", c.MinAge)
	}
	if c.MaxBytes < 1<<20 {
		problem("max_bytes must be at least 1048576, not %d", c.MaxBytes)
	}
	if c.MaxEvents < 1 || c.MaxEvents > 10_000_000 {
		problem("max_events must be 1 to 10000000, not %d", c.MaxEvents)
	}
	if c.MaxCommands < 100 || c.MaxCommands > 1_000_000 {
		problem("max_commands must be 100 to 1000000, not %d", c.MaxCommands)
	}
	errs = append(errs, c.Ages.validate()...)
	errs = append(errs, c.Shares.validate()...)
	if c.MaxQueued < 1 || c.MaxQueued > 1_000_000 {
		problem("max_queued must be 1 to 1000000, not %d", c.MaxQueued)
	}
	if c.MinFreeBytes < 0 {
		problem("min_free_bytes must be at least 0, not %d", c.MinFreeBytes)
	}
	if c.OutboxMaxAge < time.Minute {
		problem("outbox_max_age must be at least 1m, not %v", c.OutboxMaxAge)
	}
	if c.OutboxMaxBytes < 1<<20 {
		problem("outbox_max_bytes must be at least 1048576, not %d", c.OutboxMaxBytes)
	}
	if c.Remember < time.Hour {
		problem("remember must be at least 1h, not %v", c.Remember)
	}
	if c.RememberMax < 1000 || c.RememberMax > 1_000_000_000 {
		problem("remember_max must be 1000 to 1000000000, not %d", c.RememberMax)
	}
	if c.SensorKeepPoints < time.Minute || c.SensorKeepPoints > 365*24*time.Hour {
		problem("sensor_keep_points must be 1m to 8760h, not %v", c.SensorKeepPoints)
	}
	if c.SensorKeepMinutes < c.SensorKeepPoints || c.SensorKeepMinutes > 10*365*24*time.Hour {
		problem("sensor_keep_minutes must be sensor.keep_points to 87600h, not %v", c.SensorKeepMinutes)
	}
	if c.StatesKeep < time.Hour || c.StatesKeep > 10*365*24*time.Hour {
		problem("states_keep must be 1h to 87600h, not %v", c.StatesKeep)
	}
	if c.SensorMaxBytes < 1<<20 {
		problem("sensor_max_bytes must be at least 1048576, not %d", c.SensorMaxBytes)
	}
	if c.LearnMaxExamples < 1 || c.LearnMaxExamples > 1_000_000 {
		problem("learn_max_examples must be 1 to 1000000, not %d", c.LearnMaxExamples)
	}
	if c.LearnMaxBytes < 1<<20 {
		problem("learn_max_bytes must be at least 1048576, not %d", c.LearnMaxBytes)
	}
	if c.SweepInterval < 100*time.Millisecond || c.SweepInterval > time.Hour {
		problem("sweep_interval must be 100ms to 1h, not %v", c.SweepInterval)
	}
	return errors.Join(errs...)
}
