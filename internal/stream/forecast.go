package stream

import (
	"math"
	"slices"
)

const (
	// minTested is the smallest number of predictions in a backtest, and warmUp how many
	// values come before the first.
	minTested, warmUp = 30, 30
	// Coverage is the share of the backtest whose values are in the interval.
	Coverage = 0.9
	// betterBy is how many standard errors the mean gain over "same as last" must be above
	// 0: 1% by chance for one method, so that the best of four is rarely better by chance.
	betterBy = 2.6
	// level and slope are the weights of the latest value in the smoothed ones, and of
	// the latest step in the line's slope; averaged is how many values the mean is of.
	level, slopeWeight, averaged = 0.3, 0.1, 30
)

// MinForecast is the smallest number of values for a forecast.
const MinForecast = warmUp + minTested

// Forecast is a prediction of the next value, with the backtest of its method.
type Forecast struct {
	Method           string
	Value, Low, High float64
	// Error is the mean absolute error of the method over Tested predictions, LastError
	// that of repeating the last value.
	Error, LastError float64
	Tested           int
	// Better reports that the method is better than to repeat the last value, by more than
	// chance explains.
	Better bool
}

// method predicts the next value from those that it was given.
type method struct {
	name string
	// next returns the prediction after values, and add takes one more.
	next func(values []float64) float64
	add  func(value float64)
	errs []float64
}

func methods(period int) []*method {
	all := []*method{meanMethod(), smoothingMethod(), lineMethod()}
	if period > 1 {
		all = append(all, seasonMethod(period))
	}
	return all
}

// meanMethod predicts the mean of the latest values.
func meanMethod() *method {
	return &method{name: "mean", add: func(float64) {}, next: func(values []float64) float64 {
		mean, _ := moments(values[max(0, len(values)-averaged):])
		return mean
	}}
}

// smoothingMethod predicts by exponential smoothing (Brown, 1956).
func smoothingMethod() *method {
	smoothed, started := 0.0, false
	return &method{name: "smoothing", next: func([]float64) float64 { return smoothed }, add: func(value float64) {
		if !started {
			smoothed, started = value, true
			return
		}
		smoothed += level * (value - smoothed)
	}}
}

// lineMethod predicts by Holt's linear method (1957): a smoothed level and slope.
func lineMethod() *method {
	smoothed, step, n := 0.0, 0.0, 0
	return &method{name: "line", next: func([]float64) float64 { return smoothed + step }, add: func(value float64) {
		switch n++; n {
		case 1:
			smoothed = value
		default:
			before := smoothed
			smoothed = level*value + (1-level)*(smoothed+step)
			step = slopeWeight*(smoothed-before) + (1-slopeWeight)*step
		}
	}}
}

// seasonMethod predicts the mean of the latest period, and by how much the values one, two
// and three periods before were above the mean of the period before them: a trend is in both.
func seasonMethod(period int) *method {
	trailing := func(values []float64) float64 {
		mean, _ := moments(values[len(values)-period:])
		return mean
	}
	return &method{name: "season", add: func(float64) {}, next: func(values []float64) float64 {
		above, n := 0.0, 0
		for back := len(values) - period; back >= period && n < minPeriods; back -= period {
			above += values[back] - trailing(values[:back])
			n++
		}
		return trailing(values) + above/float64(n)
	}}
}

// Predict predicts the value after values, which are in order. It predicts each value of
// the later part from those before it by every method, and takes the one with the smallest
// error. period is that of the season in steps; 0 for none. ok is false below MinForecast
// values.
func Predict(values []float64, period int) (f Forecast, ok bool) {
	start := max(warmUp, len(values)/3, 2*period)
	if len(values)-start < minTested {
		return Forecast{}, false
	}
	all := methods(period)
	last := make([]float64, 0, len(values)-start)
	for i, value := range values {
		if i >= start {
			last = append(last, math.Abs(value-values[i-1]))
		}
		for _, m := range all {
			if i >= start {
				m.errs = append(m.errs, math.Abs(value-m.next(values[:i])))
			}
			m.add(value)
		}
	}
	best := slices.MinFunc(all, func(a, b *method) int { return cmpMeans(a.errs, b.errs) })
	f = Forecast{Method: best.name, Value: best.next(values), Tested: len(last), Better: better(best.errs, last)}
	f.Error, _ = moments(best.errs)
	f.LastError, _ = moments(last)
	width := coverage(best.errs)
	f.Low, f.High = f.Value-width, f.Value+width
	return f, true
}

func cmpMeans(a, b []float64) int {
	x, _ := moments(a)
	y, _ := moments(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// better reports whether the errors are smaller than others of the same values, by the test of
// Diebold and Mariano (Journal of Business & Economic Statistics 13, 1995) for one step ahead.
func better(errs, others []float64) bool {
	gains := make([]float64, len(errs))
	for i, e := range errs {
		gains[i] = others[i] - e
	}
	mean, squares := moments(gains)
	deviation := math.Sqrt(squares / float64(len(gains)-1))
	return mean > 0 && mean > betterBy*deviation/math.Sqrt(float64(len(gains)))
}

// coverage returns the half width of the interval that holds the share Coverage of the errors,
// with the correction of split conformal prediction (Lei and others, Journal of the American
// Statistical Association 113, 2018) for the number of errors.
func coverage(errs []float64) float64 {
	sorted := slices.Sorted(slices.Values(errs))
	rank := int(math.Ceil(Coverage * float64(len(sorted)+1)))
	return sorted[min(rank, len(sorted))-1]
}
