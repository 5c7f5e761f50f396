package worker

import (
	"errors"
	"fmt"
	"time"
)

// Config says how jobs are worked on.
type Config struct {
	// RedisURL names the Redis that dispatches: redis://host:port/0, rediss://,
	// unix:///path or redis-socket:///path,
	// redis-sentinel://host:port,host:port?master=name, or
	// redis-cluster://host:port,host:port. Before the host or path may be
	// user:password@ or :password@; Sentinels and the servers that they watch
	// must have the same.
	RedisURL string
	// Concurrency is how many jobs are recognized at a time; for each, one more
	// of this node's own is kept at hand, so that the disk does not hold it up,
	// and none of another node's. At least 1; as many as there are interpreters
	// is right.
	Concurrency int
	// JobTimeout is how long a job has from its acceptance to its terminal
	// state; then it expires.
	JobTimeout time.Duration
	// AttemptTimeout bounds one attempt; whole seconds.
	AttemptTimeout time.Duration
}

// DefaultConfig gives a job a day and an attempt half a minute. RedisURL and
// Concurrency are filled in by whoever knows them.
func DefaultConfig() Config {
	return Config{JobTimeout: 24 * time.Hour, AttemptTimeout: 30 * time.Second}
}

// Validate reports every fault at once, each with its setting's name.
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
	// asynq keeps whole seconds, and takes 0 for half an hour.
	if c.AttemptTimeout < time.Second || c.AttemptTimeout > time.Hour || c.AttemptTimeout%time.Second != 0 {
		errs = append(errs, fmt.Errorf("attempt_timeout must be 1s to 1h in whole seconds, not %v", c.AttemptTimeout))
	}
	return errors.Join(errs...)
}
