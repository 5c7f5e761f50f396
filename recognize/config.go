package recognize

import (
	"errors"
	"fmt"
	"time"
)

// Config limits the work.
type Config struct {
	// Slots is how many images are recognized at a time: those that an interpreter
	// runs and those at hand for the next free one. At least 1; one more than the number
	// of interpreters is recommended.
	Slots int
	// Timeout limits one recognition once it has a slot, and, waiting included, how
	// long a caller without a deadline waits.
	Timeout time.Duration
	// MaxWait is how long a caller without a deadline waits at most for its answer: where
	// that is predicted to come later, it is refused at once. 0: Timeout.
	MaxWait time.Duration
	// AllowStandIn lets the quality model answer requests without a model's name if
	// the default model is missing. Each such result has a warning.
	AllowStandIn bool
	// EmbeddingModel is the model of requests for embeddings that name none; "" refuses these.
	EmbeddingModel string
	// Quality selects the images to rate: QualityOff, QualityTerminals or
	// QualityAll.
	Quality string
	// QualityMinScore is the minimum score of a verdict other than ok that makes an
	// image unusable.
	QualityMinScore float64
}

// The images that the quality model rates.
const (
	QualityOff       = "off"
	QualityTerminals = "terminals" // those that a device took
	QualityAll       = "all"
)

// Validate reports all errors together, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if c.Slots < 1 || c.Slots > 1025 {
		errs = append(errs, fmt.Errorf("slots must be 1 to 1025, not %d", c.Slots))
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > 5*time.Minute {
		errs = append(errs, fmt.Errorf("timeout must be 100ms to 5m, not %v", c.Timeout))
	}
	if c.MaxWait != 0 && (c.MaxWait < 10*time.Millisecond || c.MaxWait > c.Timeout) {
		errs = append(errs, fmt.Errorf("max_wait must be 10ms to the timeout, %v, or 0 for that timeout, not %v", c.Timeout, c.MaxWait))
	}
	if c.Quality != QualityOff && c.Quality != QualityTerminals && c.Quality != QualityAll {
		errs = append(errs, fmt.Errorf("quality must be %s, %s or %s, not %q", QualityOff, QualityTerminals, QualityAll, c.Quality))
	}
	if !(c.QualityMinScore >= 0 && c.QualityMinScore <= 1) { // NaN too
		errs = append(errs, fmt.Errorf("quality_min_score must be 0 to 1, not %v", c.QualityMinScore))
	}
	return errors.Join(errs...)
}

// maxWait is MaxWait with its default.
func (c Config) maxWait() time.Duration {
	if c.MaxWait == 0 {
		return c.Timeout
	}
	return c.MaxWait
}

// DefaultConfig has a timeout of 10 seconds; Slots depends on the interpreters and is
// set by the caller. With this QualityMinScore, the built-in
// model rejected one good real photograph in fifteen and detected 83% of the worst
// class (docs/adr/0016-quality.md).
func DefaultConfig() Config {
	return Config{Timeout: 10 * time.Second, EmbeddingModel: "mobilenet_v1_1.0_224_embedding", Quality: QualityTerminals, QualityMinScore: 0.7}
}
