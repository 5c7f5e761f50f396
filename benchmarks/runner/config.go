// Package runner implements `edgelens bench`: it starts the measured services, runs the suites of package suite, and
// stores their records and reports.
package runner

import (
	"errors"
	"fmt"
	"time"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/suite"
	"edgelens/internal/config"
	"edgelens/models"
)

// Suites are the default suites of a benchmark, in order. record.SuitePeers is another one.
var Suites = []string{"model", "pipeline", "http", "mqtt"}

// Config is the configuration of a benchmark. Errors name its members by the flags of `edgelens bench`.
type Config struct {
	Service
	// Suites are the suites to run.
	Suites []string
	// Out is the parent folder of this run's folder.
	Out  string
	Plan suite.Plan
	// Seed is the random seed.
	Seed uint64
	// Target is the URL of a running service to measure; "" starts one.
	Target string
	// Key is the token of a key for that service; "" for none.
	Key string
	// Images are files and folders of them; if empty, images are generated.
	Images []string
	// HTTP are the loads; Images and Seed are set by Run.
	HTTP suite.HTTPConfig
	// Soak is the duration of full load at the end; 0 for none.
	Soak time.Duration
	// NoStages omits the stages of the pipeline.
	NoStages bool
	// Runtimes, Delegates, Threads and Interpreters are combined to settings of the model.
	Runtimes, Delegates   []string
	Threads, Interpreters []int
	// Terminals are the numbers of terminals, one case each, and TerminalRate the records a second of all terminals
	// together.
	Terminals    []int
	TerminalRate float64
	// Peer is the folder of another service, and Published the model of its case "as published".
	Peer, Published string
	// Command is the command line, for the report.
	Command []string
}

// Service is how edgelens services are started.
type Service struct {
	// Settings are those of the service.
	Settings *config.Config
	// Flags are the corresponding flags of `edgelens serve`, as in "--inference-threads=2".
	Flags []string
	// Version is this program's.
	Version string
}

// DefaultConfig has the defaults of all benchmarks.
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
			errs = append(errs, fmt.Errorf("--kinds must be sync, cached, async or mixed, not %q", kind))
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
	for _, name := range c.Runtimes {
		if !models.KnownRuntime(name) {
			errs = append(errs, fmt.Errorf("--model-runtimes must be auto, tflite or litert, not %q", name))
		}
	}
	if c.HTTP.Arrivals != load.Constant && c.HTTP.Arrivals != load.Poisson {
		errs = append(errs, fmt.Errorf("--arrivals must be %s or %s, not %q", load.Constant, load.Poisson, c.HTTP.Arrivals))
	}
	return errors.Join(errs...)
}
