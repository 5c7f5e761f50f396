// Package stats has statistics for the figures of several runs.
package stats

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Quantile returns the q-quantile by linear interpolation between the two
// nearest of the sorted values (R's type 7); NaN where there are none.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return quantileSorted(slices.Sorted(slices.Values(values)), q)
}

func quantileSorted(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// Median returns the middle value; NaN where there are none.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Mean returns the mean; NaN where there are none.
func Mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// Deviation returns the standard deviation of a sample (n-1); 0 where there
// are fewer than two.
func Deviation(values []float64) float64 {
	if len(values) < 2 {
		return 0
	}
	mean, sum := Mean(values), 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(values)-1))
}

// Interval is from Low to High.
type Interval struct{ Low, High float64 }

// resamples suffices for two digits of the interval's ends.
const resamples = 2000

// MedianInterval returns the 95% confidence interval of the median by
// bootstrap: the percentile method of B. Efron, "Bootstrap Methods: Another Look
// at the Jackknife", Annals of Statistics 7(1), 1979. The same seed gives the
// same interval. Of one value, both ends are that value.
func MedianInterval(values []float64, seed uint64) Interval {
	if len(values) == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	medians, drawn := make([]float64, resamples), make([]float64, len(values))
	for i := range medians {
		medians[i] = medianOf(random, values, drawn)
	}
	return middle(medians)
}

// RatioInterval returns the 95% confidence interval of median(b)/median(a), by
// the same method.
func RatioInterval(a, b []float64, seed uint64) Interval {
	if len(a) == 0 || len(b) == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	ratios, drawnA, drawnB := make([]float64, resamples), make([]float64, len(a)), make([]float64, len(b))
	for i := range ratios {
		ratios[i] = medianOf(random, b, drawnB) / medianOf(random, a, drawnA)
	}
	return middle(ratios)
}

// medianOf returns the median of as many draws, with replacement, as there are values; drawn is scratch space for them.
func medianOf(random *rand.Rand, values, drawn []float64) float64 {
	for i := range drawn {
		drawn[i] = values[random.IntN(len(values))]
	}
	slices.Sort(drawn)
	return quantileSorted(drawn, 0.5)
}

// middle returns the interval of the middle 95%.
func middle(values []float64) Interval {
	slices.Sort(values)
	return Interval{quantileSorted(values, 0.025), quantileSorted(values, 0.975)}
}
