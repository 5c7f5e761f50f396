package stream

import "math"

const (
	// minPeriods is how many periods the values must cover, and minStrength the smallest
	// autocorrelation of a season: that of noise stays below it, and of a random walk nearly
	// always.
	minPeriods  = 3
	minStrength = 0.5
)

// Autocorrelation returns the correlation of the values with themselves lag later, around their
// mean, divided by the share of the values that overlap: 1 for a perfect repetition. 0 for
// equal values.
func Autocorrelation(values []float64, lag int) float64 {
	mean, squares := moments(values)
	return autocorrelation(values, mean, squares, lag)
}

func autocorrelation(values []float64, mean, squares float64, lag int) float64 {
	n := len(values)
	if squares <= 0 || lag >= n {
		return 0
	}
	sum := 0.0
	for i, later := range values[lag:] {
		sum += (values[i] - mean) * (later - mean)
	}
	return sum / squares * float64(n) / float64(n-lag)
}

// Season returns the period of evenly spaced values, in steps, and the autocorrelation at it.
// The values must cover at least three periods. A line is subtracted first: a trend
// correlates at each lag. ok is false where no period is strong enough.
func Season(values []float64) (lag int, strength float64, ok bool) {
	n := len(values)
	if n < 4*minPeriods {
		return 0, 0, false
	}
	rest := detrended(values)
	mean, squares := moments(rest)
	if _, all := moments(values); squares <= 1e-12*all {
		return 0, 0, false // a line, and rounding errors
	}
	longest := n / minPeriods
	at := make([]float64, longest+2)
	for k := 1; k < len(at); k++ {
		at[k] = autocorrelation(rest, mean, squares, k)
	}
	low := 1 // neighbors are alike: the season is behind the first fall
	for low < longest && at[low] > 0 {
		low++
	}
	for k := low + 1; k <= longest; k++ {
		if at[k] > strength && at[k] >= at[k-1] && at[k] >= at[k+1] {
			lag, strength = k, at[k]
		}
	}
	if lag == 0 || strength < minStrength {
		return 0, 0, false
	}
	// The multiples of a period repeat as well: take the shortest that is nearly as strong.
	for k := low + 1; k < lag; k++ {
		if at[k] >= 0.9*strength && at[k] >= at[k-1] && at[k] >= at[k+1] {
			lag, strength = k, at[k]
			break
		}
	}
	if again := autocorrelation(rest, mean, squares, 2*lag); again < 0.6*strength {
		return 0, 0, false
	}
	return lag, math.Min(1, strength), true
}

// detrended subtracts the least-squares line.
func detrended(values []float64) []float64 {
	n := float64(len(values))
	middle := (n - 1) / 2
	mean, _ := moments(values)
	var product, squares float64
	for i, v := range values {
		product += (float64(i) - middle) * (v - mean)
		squares += (float64(i) - middle) * (float64(i) - middle)
	}
	rest := make([]float64, len(values))
	for i, v := range values {
		rest[i] = v - mean - product/squares*(float64(i)-middle)
	}
	return rest
}

// Even returns the samples as values at even steps of their usual interval in seconds, by
// linear interpolation; false where they are too uneven for that: more than one interval in ten
// more than half apart from the usual one, or one more than five times as long. The samples are in order of At.
func Even(samples []Sample) (values []float64, step float64, ok bool) {
	if len(samples) < 3 {
		return nil, 0, false
	}
	intervals := make([]float64, len(samples)-1)
	for i := range intervals {
		intervals[i] = float64(samples[i+1].At-samples[i].At) / 1e9
	}
	step = median(intervals)
	uneven := 0
	for _, interval := range intervals {
		if math.Abs(interval-step) > step/2 {
			uneven++
		}
		if interval > 5*step {
			return nil, 0, false
		}
	}
	if step <= 0 || uneven > len(intervals)/10 {
		return nil, 0, false
	}
	start := samples[0].At
	at := 0
	for i := 0; ; i++ {
		now := start + int64(float64(i)*step*1e9)
		for at+1 < len(samples) && samples[at+1].At <= now {
			at++
		}
		if at+1 == len(samples) {
			return append(values, samples[at].Value), step, true
		}
		share := float64(now-samples[at].At) / float64(samples[at+1].At-samples[at].At)
		values = append(values, samples[at].Value+share*(samples[at+1].Value-samples[at].Value))
	}
}
