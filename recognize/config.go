package recognize

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds the work.
type Config struct {
	// Workers is how many images are recognized at a time: those that an
	// interpreter has and those that wait for one. At least 1; one more than there
	// are interpreters is right.
	Workers int
	// Queue is how many more may wait for a worker. Anything that can wait
	// longer belongs in the job queue.
	Queue int
	// Timeout bounds one recognition, waiting included.
	Timeout time.Duration
	// AllowStandIn has the model of image quality answer where nobody names a model
	// and the default one is not here. Each such answer has a warning.
	AllowStandIn bool
	// Quality says whose images are judged: QualityOff, QualityTerminals or
	// QualityAll.
	Quality string
	// QualityMinScore is the probability from which on a verdict other than ok
	// makes an image unusable.
	QualityMinScore float64
}

// Whose images the model of snapshot quality judges.
const (
	QualityOff       = "off"
	QualityTerminals = "terminals" // those that a device took
	QualityAll       = "all"
)

// Validate reports every fault at once, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if c.Workers < 1 || c.Workers > 1024 {
		errs = append(errs, fmt.Errorf("workers must be 1 to 1024, not %d", c.Workers))
	}
	if c.Queue < 0 || c.Queue > 1024 {
		errs = append(errs, fmt.Errorf("queue must be 0 to 1024, not %d", c.Queue))
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > 5*time.Minute {
		errs = append(errs, fmt.Errorf("timeout must be 100ms to 5m, not %v", c.Timeout))
	}
	if c.Quality != QualityOff && c.Quality != QualityTerminals && c.Quality != QualityAll {
		errs = append(errs, fmt.Errorf("quality must be %s, %s or %s, not %q", QualityOff, QualityTerminals, QualityAll, c.Quality))
	}
	if !(c.QualityMinScore >= 0 && c.QualityMinScore <= 1) { // NaN too
		errs = append(errs, fmt.Errorf("quality_min_score must be 0 to 1, not %v", c.QualityMinScore))
	}
	return errors.Join(errs...)
}

// DefaultConfig gives an image 10 seconds; Workers and Queue follow the
// interpreters and are filled in by whoever knows them. QualityMinScore is where
// the built-in model, asked about real photographs, took one good image in
// fifteen for a bad one and saw 83% of the worst kind (docs/adr/0016-quality.md).
func DefaultConfig() Config {
	return Config{Queue: -1, Timeout: 10 * time.Second, Quality: QualityTerminals, QualityMinScore: 0.7}
}
