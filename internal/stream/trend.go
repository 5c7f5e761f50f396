package stream

import (
	"math"
	"slices"
)

// simplePoints and simpleShare are those of Simple.
const (
	simplePoints = 5
	simpleShare  = 0.1
)

// Simple compares the last five values: the mean of the last three with that of the first two.
// It returns 1 for more than 10% above, -1 for more than 10% below, 0 for neither; ok is false
// for fewer values. The 10% are of the absolute value of the first mean, so that -9 is above -10.
func Simple(values []float64) (direction int, ok bool) {
	if len(values) < simplePoints {
		return 0, false
	}
	last := values[len(values)-simplePoints:]
	first, later := (last[0]+last[1])/2, (last[2]+last[3]+last[4])/3
	switch apart := simpleShare * math.Abs(first); {
	case later-first > apart:
		return 1, true
	case first-later > apart:
		return -1, true
	}
	return 0, true
}

// MannKendall returns the probability (two-sided) of an order of values as monotonous as this
// one where there is no trend, and the sign of the trend. It is the test of Mann
// (Econometrica 13, 1945) and Kendall (Rank Correlation Methods, 1975) by the normal
// approximation with the corrections for ties and continuity. Values that depend on those
// before them make it too small.
func MannKendall(values []float64) (p float64, sign int) {
	n, s := len(values), 0
	for i, v := range values {
		for _, later := range values[i+1:] {
			switch {
			case later > v:
				s++
			case later < v:
				s--
			}
		}
	}
	variance := float64(n) * float64(n-1) * float64(2*n+5)
	for _, t := range ties(values) {
		variance -= t * (t - 1) * (2*t + 5)
	}
	switch variance /= 18; {
	case variance <= 0 || s == 0:
		return 1, 0
	case s > 0:
		return math.Erfc(float64(s-1) / math.Sqrt(2*variance)), 1
	default:
		return math.Erfc(float64(-s-1) / math.Sqrt(2*variance)), -1
	}
}

// ties returns how many values are equal, for each value.
func ties(values []float64) (counts []float64) {
	sorted := slices.Sorted(slices.Values(values))
	for i := 0; i < len(sorted); {
		end := i
		for end < len(sorted) && sorted[end] == sorted[i] {
			end++
		}
		counts = append(counts, float64(end-i))
		i = end
	}
	return counts
}

// TheilSen returns the median of the slopes between all pairs of values at different times
// (Sen, Journal of the American Statistical Association 63, 1968); false where all times are
// equal. Its memory and time grow with the square of the number of values.
func TheilSen(times, values []float64) (slope float64, ok bool) {
	slopes := make([]float64, 0, len(values)*(len(values)-1)/2)
	for i := range values {
		for j := i + 1; j < len(values); j++ {
			if times[j] != times[i] {
				slopes = append(slopes, (values[j]-values[i])/(times[j]-times[i]))
			}
		}
	}
	if len(slopes) == 0 {
		return 0, false
	}
	slices.Sort(slopes)
	return slopes[(len(slopes)-1)/2]/2 + slopes[len(slopes)/2]/2, true
}
