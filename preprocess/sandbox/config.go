package sandbox

import (
	"errors"
	"fmt"
	"time"
)

// The values of Config.Isolation.
const (
	// IsolationAuto decodes in helpers where they can be started, and else in this process,
	// with a warning.
	IsolationAuto = "auto"
	// IsolationRequire decodes in helpers, or not at all.
	IsolationRequire = "require"
	// IsolationOff decodes in this process.
	IsolationOff = "off"
)

// Config configures where images are decoded, and what that may take.
type Config struct {
	// Isolation is IsolationAuto, IsolationRequire or IsolationOff.
	Isolation string
	// Timeout is how long decoding one image may take, in a helper, which is killed shortly before. Decoding in this process
	// cannot be stopped.
	Timeout time.Duration
	// Memory is how many bytes decoding may take for all images at a time. The caller of
	// Tensors sees to it (package recognize).
	Memory int64
}

// DefaultConfig isolates where that works. 400 MB of memory are enough for one image at its
// largest (preprocess.Config.MaxMemory) and some of the usual size beside it.
func DefaultConfig() Config {
	return Config{Isolation: IsolationAuto, Timeout: 2500 * time.Millisecond, Memory: 400 << 20}
}

// The limits of the settings.
const (
	minTimeout = 100 * time.Millisecond
	maxTimeout = time.Minute

	minMemory int64 = 64 << 20
	maxMemory int64 = 1 << 40
)

// Validate reports all errors together, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	switch c.Isolation {
	case IsolationAuto, IsolationRequire, IsolationOff:
	default:
		errs = append(errs, fmt.Errorf("isolation must be %s, %s or %s, not %q", IsolationAuto, IsolationRequire, IsolationOff, c.Isolation))
	}
	if c.Timeout < minTimeout || c.Timeout > maxTimeout {
		errs = append(errs, fmt.Errorf("timeout must be %v to %v, not %v", minTimeout, maxTimeout, c.Timeout))
	}
	if c.Memory < minMemory || c.Memory > maxMemory {
		errs = append(errs, fmt.Errorf("memory must be %d to %d bytes, not %d", minMemory, maxMemory, c.Memory))
	}
	return errors.Join(errs...)
}

// reserve is how much of the memory for all images one image leaves to the others.
const reserve = 48 << 20

// LargestImage returns how many bytes of the memory for all images one image may take, so
// that images of the usual size can be decoded beside it.
func LargestImage(memory int64) int64 { return memory - min(reserve, memory/8) }
