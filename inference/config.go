package inference

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"edgelens/models"
)

// Config sizes the pools and selects the runtime and the delegate.
type Config struct {
	// Interpreters is how many interpreters each model has; 0 means one for
	// each core.
	Interpreters int
	// Threads is how many threads one interpreter uses. Two one-thread
	// interpreters give nearly twice the throughput of one two-thread
	// interpreter, so 1 is right unless only the latency of single requests
	// matters.
	Threads int
	// Runtime is RuntimeAuto, RuntimeTFLite or RuntimeLiteRT; a model's own takes
	// precedence.
	Runtime string
	// Accelerators run models beside the processor, each with a queue of its own, as far as
	// they can: AcceleratorGPU, or none.
	Accelerators []string
	// Delegate is DelegateAuto or DelegateNone.
	Delegate string
	// Requantize runs legacy uint8 models as an int8 variant, up to twice as fast,
	// if a check finds that the results agree.
	Requantize bool
	// Probe runs a new model file in a child process before it is
	// loaded.
	Probe bool
	// Check compares the kernels that run a model with slower reference kernels when it is
	// loaded, and replaces those that compute wrongly.
	Check bool
	// InvokeTimeout is the time after which a running interpreter is abandoned.
	InvokeTimeout time.Duration
}

// DefaultConfig returns defaults for a Raspberry Pi or a small PC.
func DefaultConfig() Config {
	return Config{Threads: 1, Runtime: RuntimeAuto, Delegate: DelegateAuto, Probe: true, Check: true, InvokeTimeout: 15 * time.Second}
}

// Validate reports all errors together, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if c.Interpreters < 0 || c.Interpreters > 256 {
		errs = append(errs, fmt.Errorf("interpreters must be 0 (one for each core) to 256, not %d", c.Interpreters))
	}
	if c.Threads < 1 || c.Threads > 256 {
		errs = append(errs, fmt.Errorf("threads must be 1 to 256, not %d", c.Threads))
	}
	if !models.KnownRuntime(c.Runtime) {
		errs = append(errs, fmt.Errorf("runtime must be %q, %q or %q, not %q", RuntimeAuto, RuntimeTFLite, RuntimeLiteRT, c.Runtime))
	}
	for i, name := range c.Accelerators {
		if name != AcceleratorGPU {
			errs = append(errs, fmt.Errorf("accelerators may be %q, not %q", AcceleratorGPU, name))
		} else if slices.Contains(c.Accelerators[:i], name) {
			errs = append(errs, fmt.Errorf("accelerators must not contain %q twice", name))
		}
	}
	if c.Delegate != DelegateAuto && c.Delegate != DelegateNone {
		errs = append(errs, fmt.Errorf("delegate must be %q or %q, not %q", DelegateAuto, DelegateNone, c.Delegate))
	}
	if c.InvokeTimeout < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("invoke_timeout must be at least 100ms, not %v", c.InvokeTimeout))
	}
	return errors.Join(errs...)
}

// Options returns the options that a model is opened with: a runtime of its own takes
// precedence.
func (c Config) Options(model models.Model) Options {
	return Options{Threads: c.Threads, Runtime: cmp.Or(model.Runtime, c.Runtime), Delegate: c.Delegate, Digest: model.Digest}
}

// Pool returns the size of each model's pool.
func (c Config) Pool() PoolConfig {
	n := c.InterpretersOrCores()
	return PoolConfig{Interpreters: n, InvokeTimeout: c.InvokeTimeout, MaxStuck: n}
}

// cores is how many cores this process may use, as at its start: serve raises GOMAXPROCS later.
var cores = runtime.GOMAXPROCS(0)

// InterpretersOrCores returns Interpreters with its default filled in: as many
// as keep interpreters x threads within the cores.
func (c Config) InterpretersOrCores() int {
	if c.Interpreters > 0 {
		return c.Interpreters
	}
	return max(1, cores/max(1, c.Threads))
}
