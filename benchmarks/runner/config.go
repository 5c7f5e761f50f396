// Package runner is what `edgelens bench` does: it starts the services that are measured,
// runs the suites of package suite, and keeps their records and reports.
package runner

import (
	"errors"
	"fmt"
	"time"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/suite"
	"edgelens/internal/config"
)

// Suites are what a benchmark measures unless it is given others, in that order. There is
// also record.SuitePeers.
var Suites = []string{"model", "pipeline", "http", "mqtt"}

// Config is what is measured, and how. Errors name its members by the flags of
// `edgelens bench`.
type Config struct {
	Service
	// Suites are those to run.
	Suites []string
	// Out is the folder to make the folder of this run in.
	Out  string
	Plan suite.Plan
	// Seed is of everything random.
	Seed uint64
	// Target is the URL of a running service to measure; "" starts one.
	Target string
	// Images are files and folders of them; none has images drawn.
	Images []string
	// HTTP are the loads; its Images and Seed are filled in.
	HTTP suite.HTTPConfig
	// Soak is how long the service is under full load at the end; 0 for not at all.
	Soak time.Duration
	// NoStages leaves out the stages of the pipeline.
	NoStages bool
	// Delegates, Threads and Interpreters are combined to settings of the model.
	Delegates             []string
	Threads, Interpreters []int
	// Terminals are how many there are, in one case after the other, and TerminalRate the
	// records a second of all together.
	Terminals    []int
	TerminalRate float64
	// Peer is the folder of another service, and Published the model that it runs as it
	// was published.
	Peer, Published string
	// Command is the command line, for the report.
	Command []string
}

// Service is how services of our own are started.
type Service struct {
	// Settings are those of the service.
	Settings *config.Config
	// Flags set them: flags of `edgelens serve`, as in "--inference-threads=2".
	Flags []string
	// Version is this program's.
	Version string
}

// DefaultConfig has what all benchmarks have in common.
func DefaultConfig() Config {
	return Config{
		Out: ".", Plan: suite.Plan{Rounds: 5, Window: 5 * time.Second, WarmUp: time.Second}, Seed: 1,
		HTTP:      suite.HTTPConfig{Arrivals: load.Constant, OpenConnections: 64},
		Published: "mobilenet_v2_1.0_224_uint8",
	}
}

// Validate reports every error at once.
func (c Config) Validate() error {
	var errs []error
	if c.Plan.Rounds < 1 || c.Plan.Rounds > 1000 {
		errs = append(errs, fmt.Errorf("--runs must be 1 to 1000, not %d", c.Plan.Rounds))
	}
	if c.Plan.Window < 10*time.Millisecond || c.Plan.WarmUp < 10*time.Millisecond {
		errs = append(errs, errors.New("--duration and --warm-up must be at least 10ms"))
	}
	if c.Soak != 0 && c.Soak < time.Second {
		errs = append(errs, fmt.Errorf("--soak must be 0 or at least 1s, not %v", c.Soak))
	}
	for _, kind := range c.HTTP.Kinds {
		if kind != record.KindSync && kind != record.KindCached && kind != record.KindAsync && kind != record.KindMixed {
			errs = append(errs, fmt.Errorf("--kinds must be of sync, cached, async and mixed, not %q", kind))
		}
	}
	for _, list := range []struct {
		flag    string
		numbers []int
	}{{"connections", c.HTTP.Connections}, {"model-threads", c.Threads}, {"model-interpreters", c.Interpreters}, {"terminals", c.Terminals}, {"open-connections", []int{max(c.HTTP.OpenConnections, 1)}}} {
		for _, n := range list.numbers {
			if n < 1 || n > 4096 {
				errs = append(errs, fmt.Errorf("--%s must be 1 to 4096, not %d", list.flag, n))
			}
		}
	}
	for _, list := range [][]float64{c.HTTP.Loads, c.HTTP.Rates, {max(c.TerminalRate, 0)}} {
		for _, v := range list {
			if !(v >= 0 && v <= 1e6) {
				errs = append(errs, fmt.Errorf("--load, --rate and --terminal-rate must be 0 to 1000000, not %v", v))
			}
		}
	}
	if c.HTTP.Arrivals != load.Constant && c.HTTP.Arrivals != load.Poisson {
		errs = append(errs, fmt.Errorf("--arrivals must be %s or %s, not %q", load.Constant, load.Poisson, c.HTTP.Arrivals))
	}
	return errors.Join(errs...)
}
