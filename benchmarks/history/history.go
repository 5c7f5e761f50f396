// Package history measures what a long history costs: services on ledgers with ten thousand to a million items.
package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Config is what is measured.
type Config struct {
	// Sizes are the numbers of items, ascending.
	Sizes []int
	// Dir is where the data folders are made; they are removed at the end, but with Keep.
	Dir string
	// Keep leaves the filled folders in Dir, where the next run uses them.
	Keep bool
	// FillOnly fills the folders and measures nothing.
	FillOnly bool
	// OwnDisk: nothing else uses the disk of Dir, so that what it writes is measured, too.
	OwnDisk bool
	// ModelsDir has the default model.
	ModelsDir string
	// Seconds is how long idle CPU time, submits and events are each measured.
	Seconds int
	// Starts is how often each service is started; the median counts.
	Starts int
	Seed   uint64
	// Spoil is the name of an index that is replaced by one in another order, to see that the check fails.
	Spoil string
}

// DefaultConfig measures 10,000, 100,000 and a million items.
func DefaultConfig() Config {
	return Config{Sizes: []int{10_000, 100_000, 1_000_000}, Seconds: 20, Starts: 3, Seed: 1}
}

// tries is how often a row is measured until it grows no more than it may: what grows does so each time, and noise does not.
const tries = 3

// Run fills ledgers and measures a service on each, all in turns: what else the machine does affects all sizes alike. Progress
// goes to log.
func Run(ctx context.Context, c Config, log io.Writer) (r Result, err error) {
	dir, remove, err := c.folder()
	if err != nil {
		return r, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	var all []*target
	defer func() {
		for _, t := range all {
			err = errors.Join(err, t.stop())
		}
	}()
	for _, size := range c.Sizes {
		t, err := c.prepare(ctx, dir, size, log)
		if err != nil {
			return r, fmt.Errorf("prepare %d items: %w", size, err)
		}
		all = append(all, t)
	}
	r.Sizes = c.Sizes
	if c.FillOnly {
		return r, nil
	}
	for _, t := range all {
		if err := t.tryModel(ctx); err != nil {
			return r, err
		}
	}
	for _, of := range c.rows() {
		row, err := of.take(ctx, all, log)
		if err != nil {
			return r, fmt.Errorf("measure %q: %w", of.name, err)
		}
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

// folder returns where the data folders are, and what removes it.
func (c Config) folder() (dir string, remove func() error, err error) {
	if c.Keep || c.FillOnly {
		return c.Dir, func() error { return nil }, os.MkdirAll(c.Dir, 0o700)
	}
	if dir, err = os.MkdirTemp(c.Dir, "edgelens-history-"); err != nil {
		return "", nil, err
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// take measures a row, again where it grows too much.
func (w row) take(ctx context.Context, all []*target, log io.Writer) (best Row, err error) {
	for try := 1; try <= tries; try++ {
		fmt.Fprintf(log, "measuring %s\n", w.name) // progress only
		begun := time.Now()
		values, err := w.measure(ctx, all)
		if err != nil {
			return Row{}, err
		}
		fmt.Fprintf(log, "  %s %.3g in %s\n", w.unit, values, time.Since(begun).Round(100*time.Millisecond)) // progress only
		row := Row{Name: w.name, Unit: w.unit, Floor: w.floor, Wanted: w.wanted, Values: values, Tries: try}
		if best.Values == nil || row.Growth() < best.Growth() {
			best = row
		}
		best.Tries = try
		if best.Growth() <= maxGrowth {
			break
		}
	}
	return best, nil
}
