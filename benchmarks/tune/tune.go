// Package tune finds the best of several settings by measuring them.
package tune

import (
	"context"
	"slices"
	"sort"

	"edgelens/benchmarks/stats"
)

// Tried is a candidate with its measurements.
type Tried[C any] struct {
	Candidate C
	// Values has one for each measurement; higher is better.
	Values []float64
	// Err is why it could not be measured; it is eliminated then.
	Err error
}

// Score is the median of the Values.
func (t Tried[C]) Score() float64 { return stats.Median(t.Values) }

// Search measures all candidates, drops the worse half, measures the rest again, and so on until two are left, which
// are measured in all remaining rounds, as are those that keep is true for (nil for none): successive halving (Z. Karnin, T. Koren, O. Somekh, "Almost Optimal Exploration
// in Multi-Armed Bandits", ICML 2013). It returns all candidates, the best first: those that lasted longer before the
// others. The error is ctx's.
func Search[C any](ctx context.Context, candidates []C, rounds int, keep func(C) bool, measure func(context.Context, C) (float64, error)) ([]Tried[C], error) {
	alive := make([]*Tried[C], len(candidates))
	for i, candidate := range candidates {
		alive[i] = &Tried[C]{Candidate: candidate}
	}
	var dropped []*Tried[C] // the first to go last
	for round := 0; round < rounds && len(alive) > 0; round++ {
		var still []*Tried[C]
		for _, t := range alive {
			value, err := measure(ctx, t.Candidate)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				t.Err = err
				dropped = slices.Insert(dropped, 0, t)
				continue
			}
			t.Values = append(t.Values, value)
			still = append(still, t)
		}
		sort.SliceStable(still, func(i, j int) bool { return still[i].Score() > still[j].Score() })
		count := len(still)
		if round < rounds-1 {
			count = min(len(still), max(2, (len(still)+1)/2))
		}
		alive = slices.Clone(still[:count])
		var worse []*Tried[C]
		for _, t := range still[count:] {
			if keep != nil && keep(t.Candidate) {
				alive = append(alive, t)
			} else {
				worse = append(worse, t)
			}
		}
		dropped = append(worse, dropped...)
	}
	var all []Tried[C]
	for _, t := range append(alive, dropped...) {
		all = append(all, *t)
	}
	return all, nil
}
