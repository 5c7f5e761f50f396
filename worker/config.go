package worker

import (
	"errors"
	"fmt"
	"time"
)

// Config is the configuration of the job queue and its workers.
type Config struct {
	// RedisURL is the Redis that dispatches: redis://host:port/0, rediss://, unix:///path or redis-socket:///path,
	// redis-sentinel://host:port,host:port?master=name, or redis-cluster://host:port,host:port. The host or path can be
	// preceded by user:password@ or :password@; Sentinels and the servers that they watch must have the same.
	RedisURL string
	// Private: no other process uses that Redis, so that all its tasks are of this one.
	Private bool
	// Concurrency is the number of jobs that may be recognized at a time. For each, one more interactive job of this node is
	// in memory, so that reading and writing it costs no time; jobs of other nodes are not prefetched. At least 1; one more
	// than the number of interpreters is a good value.
	Concurrency int
	// JobTimeout is the time from a job's acceptance to its terminal state; after it, the job expires.
	JobTimeout time.Duration
	// AttemptTimeout bounds one attempt, in whole seconds.
	AttemptTimeout time.Duration
	// DoorWait is how long after its acceptance an image of a device is recognized ahead of others: after that, no one
	// waits at the door any more.
	DoorWait time.Duration
}

// DefaultConfig gives a job a day, an attempt half a minute, and a door ten seconds. The caller sets RedisURL and Concurrency.
func DefaultConfig() Config {
	return Config{JobTimeout: 24 * time.Hour, AttemptTimeout: 30 * time.Second, DoorWait: 10 * time.Second}
}

// Validate reports all errors at once, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if c.RedisURL != "" {
		if _, err := parseRedisURL(c.RedisURL); err != nil {
			errs = append(errs, fmt.Errorf("redis_url %w", err))
		}
	}
	if c.Concurrency < 1 || c.Concurrency > 1024 {
		errs = append(errs, fmt.Errorf("concurrency must be 1 to 1024, not %d", c.Concurrency))
	}
	if c.JobTimeout < time.Second {
		errs = append(errs, fmt.Errorf("job_timeout must be at least 1s, not %v", c.JobTimeout))
	}
	// asynq truncates to whole seconds, and takes 0 for half an hour.
	if c.AttemptTimeout < time.Second || c.AttemptTimeout > time.Hour || c.AttemptTimeout%time.Second != 0 {
		errs = append(errs, fmt.Errorf("attempt_timeout must be 1s to 1h in whole seconds, not %v", c.AttemptTimeout))
	}
	if c.DoorWait < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("door_wait must be at least 100ms, not %v", c.DoorWait))
	}
	return errors.Join(errs...)
}
