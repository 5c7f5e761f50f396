package sensor

import (
	"fmt"
	"slices"
	"time"

	"edgelens"
	"edgelens/internal/stream"
)

const (
	// trendPoints is how many of the latest values the slope is of, and trendBuckets how many
	// means: the test takes time by their square. minTrend is the smallest number.
	trendPoints, trendBuckets, minTrend = 60, 144, 10
	// significance is the probability by chance below which a slope is a trend.
	significance = 0.01
	// intervalShare is the quantile of the times between arrivals that is the usual interval:
	// that of a regular sensor, and a patient one of an irregular one.
	intervalShare = 0.9
)

// analysis is what is computed at a bounded rate, because it takes long.
type analysis struct {
	interval     time.Duration
	recent, long edgelens.Slope
	season       *edgelens.Season
	prediction   *edgelens.Forecast
	noPrediction string
}

// analyze computes the analysis of a series, without its mutex for most of the time, and
// returns it.
func (s *series) analyze(now time.Duration, wall time.Time) {
	s.mu.Lock()
	samples := s.window.Samples(make([]stream.Sample, 0, s.window.Len()))
	interval := s.window.Interval(intervalShare)
	means := slices.Clone(s.buckets.Means())
	s.analyzed, s.dirty = now, false
	s.mu.Unlock()

	result := analyze(samples, interval, means)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Interval = result.interval
	s.state.Trend.Recent, s.state.Trend.Long = result.recent, result.long
	s.state.Season = result.season
	s.state.Prediction, s.state.NoPrediction = result.prediction, result.noPrediction
	s.state.AnalyzedAt = wall
}

func analyze(samples []stream.Sample, interval time.Duration, means []float64) analysis {
	slices.SortStableFunc(samples, func(a, b stream.Sample) int { return int(min(1, max(-1, a.At-b.At))) })
	result := analysis{interval: interval, recent: recentSlope(samples), long: longSlope(means)}
	period := 0
	result.season, period = season(samples, means)
	result.prediction, result.noPrediction = predict(samples, period, interval)
	return result
}

// recentSlope is of the latest values.
func recentSlope(samples []stream.Sample) edgelens.Slope {
	samples = samples[max(0, len(samples)-trendPoints):]
	times, values := make([]float64, len(samples)), make([]float64, len(samples))
	for i, sample := range samples {
		times[i], values[i] = float64(sample.At-samples[0].At)/float64(time.Hour), sample.Value
	}
	return slope(times, values)
}

// longSlope is of means of ten minutes.
func longSlope(means []float64) edgelens.Slope {
	means = means[max(0, len(means)-trendBuckets):]
	times := make([]float64, len(means))
	for i := range means {
		times[i] = float64(i) * bucketWidth.Hours()
	}
	return slope(times, means)
}

// slope tests values at times in hours.
func slope(times, values []float64) edgelens.Slope {
	n := len(values)
	result := edgelens.Slope{Direction: edgelens.DirectionUnknown, P: 1, Count: n}
	if n < minTrend {
		return result
	}
	perHour, ok := stream.TheilSen(times, values)
	if !ok {
		return result
	}
	p, sign := stream.MannKendall(values)
	span := times[n-1] - times[0]
	result.PerHour, result.P, result.Change, result.Span = perHour, p, perHour*span, time.Duration(span*float64(time.Hour))
	result.Direction = edgelens.DirectionStable
	if p < significance {
		result.Direction = directionOf(sign)
	}
	return result
}

// season looks for a period of the values and of the means of ten minutes, and returns the
// stronger one; period is that of the values, in values.
func season(samples []stream.Sample, means []float64) (found *edgelens.Season, period int) {
	if values, step, ok := stream.Even(samples); ok {
		if lag, strength, ok := stream.Season(values); ok {
			found = &edgelens.Season{Period: seconds(float64(lag) * step), Strength: strength, Periods: float64(len(values)) / float64(lag)}
			period = lag
		}
	}
	if lag, strength, ok := stream.Season(means); ok && (found == nil || strength > found.Strength) {
		found = &edgelens.Season{Period: time.Duration(lag) * bucketWidth, Strength: strength, Periods: float64(len(means)) / float64(lag)}
	}
	return found, period
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// predict predicts the next value where that is better than to repeat the last one, or
// returns a sentence with the reason why not.
func predict(samples []stream.Sample, period int, interval time.Duration) (*edgelens.Forecast, string) {
	values := make([]float64, len(samples))
	for i, sample := range samples {
		values[i] = sample.Value
	}
	forecast, ok := stream.Predict(values, period)
	switch {
	case !ok:
		return nil, tooFew(len(values))
	case !forecast.Better:
		return nil, fmt.Sprintf("No method was better than to repeat the last value: over %d predictions, its mean error was %.4g, that of the best method (%s) %.4g.",
			forecast.Tested, forecast.LastError, forecast.Method, forecast.Error)
	}
	last := time.Unix(0, samples[len(samples)-1].At).UTC()
	return &edgelens.Forecast{
		Method: forecast.Method, At: last.Add(interval), Value: forecast.Value, Low: forecast.Low, High: forecast.High, Coverage: stream.Coverage,
		Error: forecast.Error, LastError: forecast.LastError, Tested: forecast.Tested,
	}, ""
}

func tooFew(n int) string {
	return fmt.Sprintf("There are too few values for a prediction: %d of at least %d.", n, stream.MinForecast)
}
