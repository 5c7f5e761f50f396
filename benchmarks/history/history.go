// Package history measures what a long history costs: a service on ledgers with ten thousand to a million items.
package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

	"edgelens/benchmarks/suite"
	"edgelens/internal/ledger"
)

// Config is what is measured.
type Config struct {
	// Sizes are the numbers of items, ascending.
	Sizes []int
	// Dir is where the data folders are made; they are removed at the end.
	Dir string
	// ModelsDir has the default model.
	ModelsDir string
	// Seconds is how long idle CPU time and submits are each measured.
	Seconds int
	Seed    uint64
}

// DefaultConfig measures 10,000, 100,000 and a million items.
func DefaultConfig() Config {
	return Config{Sizes: []int{10_000, 100_000, 1_000_000}, Seconds: 20, Seed: 1}
}

// The time that the items are spread over, and how many terminals they are of.
const (
	span    = 90 * 24 * time.Hour
	devices = 50
)

// Figure is one row of the table for one size.
type Figure struct {
	Name string
	// Value is in Unit: ms, s or %.
	Value float64
	Unit  string
	// Floor is the least that counts, for ratios: less is noise.
	Floor float64
}

// Result has the figures of each size, in the order of Config.Sizes.
type Result struct {
	Sizes   []int
	Figures [][]Figure
}

// Run fills ledgers and measures a service on each. Progress goes to log.
func Run(ctx context.Context, c Config, log io.Writer) (r Result, err error) {
	dir, err := os.MkdirTemp(c.Dir, "edgelens-history-")
	if err != nil {
		return r, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, size := range c.Sizes {
		data := filepath.Join(dir, fmt.Sprint(size))
		figures, err := c.measureSize(ctx, data, size, log)
		if err != nil {
			return r, fmt.Errorf("measure %d items: %w", size, err)
		}
		r.Sizes, r.Figures = append(r.Sizes, size), append(r.Figures, figures)
		if err := os.RemoveAll(data); err != nil {
			return r, err
		}
	}
	return r, nil
}

// measureSize fills a ledger, and measures a service on it: warm, and just after its start with nothing of it in memory.
func (c Config) measureSize(ctx context.Context, data string, size int, log io.Writer) ([]Figure, error) {
	now := time.Now()
	if err := c.fill(ctx, data, size, now, log); err != nil {
		return nil, err
	}
	m := measurement{Config: c, data: data, now: now}
	// The first start migrates nothing, but its model may have to be tried.
	first, err := c.start(ctx, data)
	if err != nil {
		return nil, err
	}
	if err := first.Stop(); err != nil {
		return nil, err
	}
	if err := forget(data); err != nil {
		return nil, err
	}
	service, err := c.start(ctx, data)
	if err != nil {
		return nil, err
	}
	figures, err := m.run(ctx, service)
	return figures, errors.Join(err, service.Stop())
}

func (c Config) fill(ctx context.Context, data string, size int, now time.Time, log io.Writer) error {
	bar := progressbar.NewOptions(size, progressbar.OptionSetWriter(log), progressbar.OptionSetDescription(fmt.Sprintf("filling with %d items", size)),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish())
	err := ledger.Fill(ctx, data, ledger.Filling{
		Items: size, Until: now, Span: span, Devices: devices, Seed: c.Seed, Progress: func(n int) { _ = bar.Set(n) }, // progress only
	})
	return errors.Join(err, bar.Finish())
}

// start starts a service that keeps all of the history.
func (c Config) start(ctx context.Context, data string) (*suite.Own, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	log := &suite.LogTail{}
	own, err := suite.Start(ctx, program, []string{"serve", "--listen=127.0.0.1:0", "--data-dir=" + data, "--models-dir=" + c.ModelsDir, "--redis-url=", "--mqtt-url=", "--webhook-url=",
		"--log-format=json", "--log-level=info", "--ledger-max-age=4800h", "--ledger-max-bytes=17179869184"}, log)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, log)
	}
	return own, nil
}
