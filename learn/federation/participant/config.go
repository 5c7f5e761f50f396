package participant

import (
	"errors"
	"fmt"
	"time"
)

// Config are the bounds that a node sets to its part in a federation.
type Config struct {
	// MaxEpsilon ends the training of this node before its epsilon is above; 0 for no bound. Without noise, epsilon is
	// infinite.
	MaxEpsilon float64
	// UnreachableAfter is after how long without an answer of the coordinator the service is degraded.
	UnreachableAfter time.Duration
}

// DefaultConfig sets no bound to epsilon.
func DefaultConfig() Config { return Config{UnreachableAfter: time.Hour} }

// Validate reports every invalid setting at once, each with its name.
func (c Config) Validate() error {
	var errs []error
	if !(c.MaxEpsilon >= 0) { // NaN too
		errs = append(errs, fmt.Errorf("max_epsilon must be 0, for no bound, or more, not %v", c.MaxEpsilon))
	}
	if c.UnreachableAfter < time.Minute {
		errs = append(errs, fmt.Errorf("unreachable_after must be at least 1m, not %v", c.UnreachableAfter))
	}
	return errors.Join(errs...)
}
