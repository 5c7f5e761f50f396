package signing

import (
	"errors"
	"fmt"
	"time"
)

// Config is what is signed, and for how long the keys are published.
type Config struct {
	// SignEvents signs every event, and adds its place in the chain of its device.
	SignEvents bool
	// KeepKeys is for how long the public key of a former key stays published; 0: until it is removed.
	KeepKeys time.Duration
}

// DefaultConfig signs events, and publishes former keys until they are removed: what they signed can be verified for as
// long.
func DefaultConfig() Config { return Config{SignEvents: true} }

// Validate reports every invalid setting at once, each with its name.
func (c Config) Validate() error {
	var errs []error
	if c.KeepKeys != 0 && c.KeepKeys < time.Hour {
		errs = append(errs, fmt.Errorf("keep_keys must be 0 or at least 1h, not %v", c.KeepKeys))
	}
	return errors.Join(errs...)
}
