package ledger

import (
	"cmp"
	"fmt"
	"time"

	"edgelens"
)

// Ages are how long kinds are kept; 0 is Config.MaxAge.
type Ages struct {
	// Results are those without a job, Images those of finished jobs, which go with their jobs at the latest.
	Results, Records, Events, Images, Commands time.Duration
}

// validate returns all errors, each with its setting's name.
func (a Ages) validate() (errs []error) {
	for _, age := range []struct {
		name string
		age  time.Duration
	}{
		{"results_max_age", a.Results}, {"records_max_age", a.Records}, {"events_max_age", a.Events}, {"images_max_age", a.Images}, {"commands_max_age", a.Commands},
	} {
		if age.age != 0 && age.age < time.Minute {
			errs = append(errs, fmt.Errorf("%s must be at least 1m, or 0 for max_age, not %v", age.name, age.age))
		}
	}
	return errs
}

// ageOf returns how long a kind is kept whose own age may be 0.
func (c Config) ageOf(own time.Duration) time.Duration { return cmp.Or(own, c.MaxAge) }

// Shares are the parts of Config.MaxBytes, in percent, that a kind has for itself: what takes more is removed first when there is
// too much, and what takes less is not removed for what others take. A part that a kind does not use, others may.
type Shares struct {
	// Jobs is for jobs with their results, Results for other results.
	Jobs, Results, Records, Events, Images int
}

// shared are the kinds with a share, in the order in which they are removed where none takes more than its share.
var shared = []string{edgelens.KeptJobs, edgelens.KeptResults, edgelens.KeptRecords, edgelens.KeptEvents, edgelens.KeptImages}

// of returns the share of a kind in percent; 0 for one without.
func (s Shares) of(kind string) int {
	return map[string]int{
		edgelens.KeptJobs: s.Jobs, edgelens.KeptResults: s.Results, edgelens.KeptRecords: s.Records, edgelens.KeptEvents: s.Events, edgelens.KeptImages: s.Images,
	}[kind]
}

// validate returns all errors, each with its setting's name.
func (s Shares) validate() (errs []error) {
	sum := 0
	for _, kind := range shared {
		share := s.of(kind)
		sum += share
		if share < 1 || share > 100 {
			errs = append(errs, fmt.Errorf("%s_share must be 1 to 100 percent of max_bytes, not %d", kind, share))
		}
	}
	if len(errs) == 0 && sum > 100 {
		errs = append(errs, fmt.Errorf("jobs_share, results_share, records_share, events_share and images_share must be at most 100 percent together, not %d", sum))
	}
	return errs
}

// shareOf returns the bytes that belong to a kind.
func (c Config) shareOf(kind string) int64 { return c.MaxBytes / 100 * int64(c.Shares.of(kind)) }
