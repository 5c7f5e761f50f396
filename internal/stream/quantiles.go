package stream

import (
	"fmt"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
)

const (
	// accuracy is the relative error of a distance from the first value, and maxBins bounds
	// the memory: 1,024 bins of 8 bytes cover distances that differ by 17 orders of magnitude.
	accuracy, maxBins = 0.02, 1024
)

// Quantiles sketches the distribution of the values of the last span, in constant memory: two
// sketches of half the span each, of which the older is dropped. It sketches the distances
// from the first value: a quantile's error is at most 2% of its distance from that value,
// however large the values themselves are.
type Quantiles struct {
	half           time.Duration
	newer, older   *ddsketch.DDSketch
	since          time.Duration
	origin         float64
	newerN, olderN int
}

// NewQuantiles returns an empty sketch.
func NewQuantiles(span time.Duration) (*Quantiles, error) {
	newer, err := ddsketch.LogCollapsingLowestDenseDDSketch(accuracy, maxBins)
	if err != nil {
		return nil, fmt.Errorf("make a quantile sketch: %w", err)
	}
	return &Quantiles{half: span / 2, newer: newer}, nil
}

// Add adds a finite value that arrived at a time of a clock that is never set.
func (q *Quantiles) Add(arrival time.Duration, value float64) error {
	switch {
	case q.newerN == 0 && q.olderN == 0:
		q.origin, q.since = value, arrival
	case arrival-q.since >= 2*q.half:
		q.newer.Clear()
		q.older, q.newerN, q.olderN, q.since = nil, 0, 0, arrival
	case arrival-q.since >= q.half:
		if err := q.rotate(arrival); err != nil {
			return err
		}
	}
	if err := q.newer.Add(value - q.origin); err != nil {
		return fmt.Errorf("sketch a value: %w", err)
	}
	q.newerN++
	return nil
}

func (q *Quantiles) rotate(arrival time.Duration) error {
	fresh, err := ddsketch.LogCollapsingLowestDenseDDSketch(accuracy, maxBins)
	if err != nil {
		return fmt.Errorf("make a quantile sketch: %w", err)
	}
	q.older, q.olderN, q.newer, q.newerN, q.since = q.newer, q.newerN, fresh, 0, arrival
	return nil
}

// At returns the values at shares of the distribution, 0 to 1; nil while it is empty.
func (q *Quantiles) At(shares ...float64) ([]float64, error) {
	if q.newerN+q.olderN == 0 {
		return nil, nil
	}
	all := q.newer
	if q.olderN > 0 {
		all = q.newer.Copy()
		if err := all.MergeWith(q.older); err != nil {
			return nil, fmt.Errorf("merge two quantile sketches: %w", err)
		}
	}
	values, err := all.GetValuesAtQuantiles(shares)
	if err != nil {
		return nil, fmt.Errorf("read a quantile sketch: %w", err)
	}
	for i := range values {
		values[i] += q.origin
	}
	return values, nil
}
