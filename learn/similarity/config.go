// Package similarity finds the results of the history whose images are similar to another one: it gives each image an
// embedding in the background, and compares these.
package similarity

import (
	"errors"
	"fmt"
)

// Config sets whether images of the history are compared, and how many.
type Config struct {
	// Enabled has the images of results embedded and kept as vectors.
	Enabled bool
	// MaxVectors is how many are kept; the oldest give way to newer ones.
	MaxVectors int
}

// DefaultConfig compares nothing; where it is enabled, the 100,000 newest images.
func DefaultConfig() Config { return Config{MaxVectors: 100_000} }

// Validate reports all errors together, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if c.MaxVectors < 1 || c.MaxVectors > 10_000_000 {
		errs = append(errs, fmt.Errorf("max_vectors must be 1 to 10000000, not %d", c.MaxVectors))
	}
	return errors.Join(errs...)
}
