// Package cache stores results by content key: in the process, and in a Redis that nodes share.
package cache

import (
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"edgelens"
)

// Config is the configuration of the cache.
type Config struct {
	// MaxEntries is how many results are kept; 0 keeps none. One with an embedding counts as several: see weight.
	MaxEntries int
	// TTL is how long a result is kept.
	TTL time.Duration
	// Shared shares results with other nodes, where Redis is configured.
	Shared bool
}

// DefaultConfig keeps 10,000 results (about 10 MB) for a day. A result never
// goes stale, because its key names the model file and the image; the TTL
// only removes unused results.
func DefaultConfig() Config { return Config{MaxEntries: 10_000, TTL: 24 * time.Hour, Shared: true} }

// Validate reports all errors at once, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if c.MaxEntries < 0 || c.MaxEntries > 10_000_000 {
		errs = append(errs, fmt.Errorf("max_entries must be 0 to 10000000, not %d", c.MaxEntries))
	}
	if c.TTL < time.Second {
		errs = append(errs, fmt.Errorf("ttl must be at least 1s, not %v", c.TTL))
	}
	return errors.Join(errs...)
}

// Memory is an in-process result cache that evicts the results least likely to be
// used again. It is safe for use by many goroutines and needs no Close.
type Memory struct {
	entries *otter.Cache[string, *edgelens.Result]
}

// NewMemory returns an empty cache; config must be valid.
func NewMemory(config Config) (*Memory, error) {
	if config.MaxEntries == 0 {
		return &Memory{}, nil
	}
	entries, err := otter.New(&otter.Options[string, *edgelens.Result]{
		MaximumWeight:    uint64(config.MaxEntries),
		Weigher:          func(_ string, r *edgelens.Result) uint32 { return weight(r) },
		ExpiryCalculator: otter.ExpiryWriting[string, *edgelens.Result](config.TTL),
	})
	if err != nil {
		return nil, fmt.Errorf("create the result cache: %w", err)
	}
	return &Memory{entries: entries}, nil
}

// weight is how many results without an embedding take the memory of this one: they have about 1 KiB each.
func weight(r *edgelens.Result) uint32 {
	return 1 + uint32(len(r.Embedding)*4/1024) // which has at most models.MaxFeatures numbers
}

// Get returns the result under key, which the caller must not change.
func (m *Memory) Get(key string) (*edgelens.Result, bool) {
	if m.entries == nil {
		return nil, false
	}
	return m.entries.GetIfPresent(key)
}

// GetLocal is Get.
func (m *Memory) GetLocal(key string) (*edgelens.Result, bool) { return m.Get(key) }

// Set stores a result, which must not be changed afterwards.
func (m *Memory) Set(key string, result *edgelens.Result) {
	if m.entries != nil {
		m.entries.Set(key, result)
	}
}
