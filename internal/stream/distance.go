package stream

import "math"

// madScale makes the median absolute deviation an estimate of the standard deviation of a
// normal distribution: 1/Φ⁻¹(3/4). meanADScale does so for the mean absolute deviation: √(π/2).
const (
	madScale    = 1.482602218505602
	meanADScale = 1.2533141373155003
)

// MAD returns the median absolute deviation from the median.
func (w *Window) MAD() float64 {
	if w.n == 0 {
		return 0
	}
	// The distances to the left and to the right of the median are both sorted: merge them
	// up to the middle.
	center := w.Median()
	right := w.n / 2
	left := right - 1
	var lower, upper float64
	for i := 0; i <= w.n/2; i++ {
		lower = upper
		switch {
		case left < 0 || right < w.n && w.sorted[right]-center <= center-w.sorted[left]:
			upper = w.sorted[right] - center
			right++
		default:
			upper = center - w.sorted[left]
			left--
		}
	}
	if w.n%2 == 1 {
		return upper
	}
	return lower/2 + upper/2
}

// meanAD returns the mean absolute deviation from the median.
func (w *Window) meanAD() float64 {
	center, sum := w.Median(), 0.0
	for _, v := range w.sorted {
		sum += math.Abs(v - center)
	}
	return sum / float64(w.n)
}

// Step returns the smallest difference between two different values: the resolution of a
// sensor that rounds. 0 where all are equal.
func (w *Window) Step() float64 {
	step := math.Inf(1)
	for i := 1; i < w.n; i++ {
		if d := w.sorted[i] - w.sorted[i-1]; d > 0 && d < step {
			step = d
		}
	}
	if math.IsInf(step, 1) {
		return 0
	}
	return step
}

// Distances returns how far a value that is not in the window is from its values, in standard
// deviations: sigma from the mean, robust from the median by the modified z-score of Iglewicz
// and Hoaglin (How to Detect and Handle Outliers, 1993), which takes the mean absolute
// deviation where the median one is 0. Where a distance exceeds its limit, no deviation counts
// as less than Step: a sensor that rounds to 0.1 and was at 21.0 or 21.1 may be at 21.2. ok is
// false, and both are 0, where all values are equal: they give no scale.
func (w *Window) Distances(value, sigmaLimit, robustLimit float64) (sigma, robust float64, ok bool) {
	if w.n < 2 || w.Constant() {
		return 0, 0, false
	}
	deviation := w.Deviation()
	spread := madScale * w.MAD()
	if spread == 0 {
		spread = meanADScale * w.meanAD()
	}
	fromMean, fromMedian := value-w.origin-w.mean, value-w.Median()
	sigma, robust = ratio(fromMean, deviation), ratio(fromMedian, spread)
	if math.Abs(sigma) <= sigmaLimit && math.Abs(robust) <= robustLimit {
		return sigma, robust, true
	}
	step := w.Step()
	return ratio(fromMean, max(deviation, step)), ratio(fromMedian, max(spread, step)), true
}

// ratio divides, where rounding may have made the divisor 0.
func ratio(distance, by float64) float64 {
	if by <= 0 {
		return 0
	}
	return distance / by
}
