package history

import (
	"context"
	"fmt"
	"time"
)

// row measures a figure of each of the services, which run side by side.
type row struct {
	name, unit    string
	floor, wanted float64
	measure       func(context.Context, []*target) ([]float64, error)
}

// rows are those of the table.
//
// Less than the floor is noise. For a median it is a third of what is wanted at a million items, so that no row fails that is as
// fast as is wanted. What a single slow request decides (a percentile near the worst, or the worst) has what is wanted as its
// floor: one hiccup of a disk or of the scheduler is as long.
func (c Config) rows() []row {
	event := fmt.Sprintf("written an event of a terminal (image of %d KiB)", len(doorImage())>>10)
	rows := []row{
		{"start: exec to /readyz, nothing in memory", "s", 0.5 / 3, 0.5, c.starts},
		{"results until 89 days ago, first page, nothing in memory", "ms", 50.0 / 3, 50, firstPages},
		{"results since 1 s ago, p50", "ms", 1, 3, lists((*target).newest)},
		{"results until 89 days ago, p50", "ms", 1, 3, lists((*target).oldest)},
		{"device and outcome together, no match, p50", "ms", 2.0 / 3, 2, lists((*target).unmatched)},
		{"item by id beside four such filters, p99", "ms", 10, 10, besideFilters},
		{"idle CPU, of a core, Redis and broker included", "%", 0.5, 0, c.idle},
		{fmt.Sprintf("submit a job, worst of %d s", c.Seconds), "ms", 20, 20, c.submits},
		{"size of the ledger, an item", "B", 0, 0, sizes},
		{event + ", by all processes", "KiB", 0, 0, c.written(processesWrote)},
	}
	if c.OwnDisk {
		rows = append(rows, row{event + ", by the disk", "KiB", 0, 0, c.written(diskWrote)},
			row{"written an hour while nothing happens, by all processes", "KiB", 1024, 0, c.writtenIdle})
	}
	return rows
}

// each returns a figure of each target, one after the other.
func each(all []*target, of func(*target) (float64, error)) ([]float64, error) {
	values := make([]float64, len(all))
	var err error
	for i, t := range all {
		if values[i], err = of(t); err != nil {
			return nil, fmt.Errorf("with %d items: %w", t.items, err)
		}
	}
	return values, nil
}

// inTurns calls sample for each target in turn, rounds times, and returns a figure of the samples of each.
func inTurns(all []*target, rounds int, sample func(*target) ([]float64, error), figure func([]float64) float64) ([]float64, error) {
	samples := make([][]float64, len(all))
	for range rounds {
		for i, t := range all {
			more, err := sample(t)
			if err != nil {
				return nil, fmt.Errorf("with %d items: %w", t.items, err)
			}
			samples[i] = append(samples[i], more...)
		}
	}
	values := make([]float64, len(all))
	for i := range all {
		values[i] = figure(samples[i])
	}
	return values, nil
}

// starts returns how long the services took to start, the median, in seconds.
func (c Config) starts(ctx context.Context, all []*target) ([]float64, error) {
	for range c.Starts {
		for _, t := range all {
			if err := t.restart(ctx); err != nil {
				return nil, fmt.Errorf("with %d items: %w", t.items, err)
			}
		}
	}
	return each(all, func(t *target) (float64, error) { return median(taken(&t.ready)), nil })
}

// firstPages returns how long the first list after those starts took, the median, in ms; the second time, the services start
// again.
func firstPages(ctx context.Context, all []*target) ([]float64, error) {
	if len(all[0].cold) == 0 {
		if _, err := all[0].config.starts(ctx, all); err != nil {
			return nil, err
		}
	}
	return each(all, func(t *target) (float64, error) { return median(taken(&t.cold)), nil })
}

// lists returns how long requests for a list take, the median, in ms.
func lists(path func(*target) string) func(context.Context, []*target) ([]float64, error) {
	return func(ctx context.Context, all []*target) ([]float64, error) {
		return inTurns(all, requests, func(t *target) ([]float64, error) {
			took, err := t.time(ctx, path(t))
			return []float64{took}, err
		}, median)
	}
}

// idle returns the CPU time of the services with their children while nothing is asked, in percent of a core.
func (c Config) idle(ctx context.Context, all []*target) ([]float64, error) {
	perSecond, err := c.overTime(ctx, all, func(t *target) (float64, error) {
		used, err := t.service.CPU(ctx)
		return used.Seconds(), err
	})
	for i := range perSecond {
		perSecond[i] *= 100
	}
	return perSecond, err
}

// overTime returns how much a figure of each service, which only grows, does so in a second, over c.Seconds that are the same for
// all.
func (c Config) overTime(ctx context.Context, all []*target, figure func(*target) (float64, error)) ([]float64, error) {
	before, err := each(all, figure)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := sleep(ctx, time.Duration(c.Seconds)*time.Second); err != nil {
		return nil, err
	}
	after, err := each(all, figure)
	if err != nil {
		return nil, err
	}
	for i := range after {
		after[i] = (after[i] - before[i]) / time.Since(begun).Seconds()
	}
	return after, nil
}

// sizes returns the sizes of the ledgers as they were filled, in bytes an item.
func sizes(_ context.Context, all []*target) ([]float64, error) {
	return each(all, func(t *target) (float64, error) { return float64(t.filled.Bytes) / float64(t.items), nil })
}

// taken returns values and empties their slice.
func taken(values *[]float64) []float64 {
	all := *values
	*values = nil
	return all
}
