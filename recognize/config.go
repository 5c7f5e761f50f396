package recognize

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds the work.
type Config struct {
	// Workers is how many pictures are decoded and recognized at a time. At
	// least 1; as many as there are interpreters is right.
	Workers int
	// Queue is how many more may wait for a worker. Anything that can wait
	// longer belongs in the job queue.
	Queue int
	// Timeout bounds one recognition, waiting included.
	Timeout time.Duration
}

// Validate reports every fault at once, each with its setting's name.
func (c Config) Validate() error {
	var faults []error
	if c.Workers < 1 || c.Workers > 1024 {
		faults = append(faults, fmt.Errorf("workers must be 1 to 1024, not %d", c.Workers))
	}
	if c.Queue < 0 || c.Queue > 1024 {
		faults = append(faults, fmt.Errorf("queue must be 0 to 1024, not %d", c.Queue))
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > 5*time.Minute {
		faults = append(faults, fmt.Errorf("timeout must be 100ms to 5m, not %v", c.Timeout))
	}
	return errors.Join(faults...)
}

// DefaultConfig gives a picture 10 seconds; Workers and Queue follow the
// interpreters and are filled in by whoever knows them.
func DefaultConfig() Config { return Config{Queue: -1, Timeout: 10 * time.Second} }
