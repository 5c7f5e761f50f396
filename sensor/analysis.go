package sensor

import (
	"cmp"
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

// longAnalysis is that of the means of ten minutes, which is computed once for each mean.
type longAnalysis struct {
	closed int64
	slope  edgelens.Slope
	season *edgelens.Season
}

// analyze computes what takes long: trend, season and prediction. It holds the mutex only to
// read and to write.
func (s *series) analyze(now time.Duration, wall time.Time) {
	s.mu.Lock()
	samples := s.window.Samples(make([]stream.Sample, 0, s.window.Len()))
	interval := s.window.Interval(intervalShare)
	long, closed := s.long, s.buckets.Closed()
	var means []float64
	if closed != long.closed {
		means = slices.Clone(s.buckets.Means())
	}
	s.analyzed, s.dirty = now, false
	s.mu.Unlock()

	slices.SortStableFunc(samples, func(a, b stream.Sample) int { return cmp.Compare(a.At, b.At) })
	if closed != long.closed {
		long = longAnalysis{closed: closed, slope: longSlope(means), season: longSeason(means)}
	}
	recent := recentSlope(samples)
	season, period := recentSeason(samples)
	forecast, noForecast := predict(samples, period, interval)
	if season == nil || long.season != nil && long.season.Strength > season.Strength {
		season = long.season
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.long = long
	s.state.Interval, s.state.AnalyzedAt = interval, wall
	s.state.Trend.Recent, s.state.Trend.Long = recent, long.slope
	s.state.Season = season
	s.state.Prediction, s.state.NoPrediction = forecast, noForecast
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

// recentSeason looks for a period of the values; period is that in values, 0 for none.
func recentSeason(samples []stream.Sample) (found *edgelens.Season, period int) {
	values, step, ok := stream.Even(samples)
	if !ok {
		return nil, 0
	}
	lag, strength, ok := stream.Season(values)
	if !ok {
		return nil, 0
	}
	return &edgelens.Season{Period: seconds(float64(lag) * step), Strength: strength, Periods: float64(len(values)) / float64(lag)}, lag
}

// longSeason looks for a period of means of ten minutes.
func longSeason(means []float64) *edgelens.Season {
	lag, strength, ok := stream.Season(means)
	if !ok {
		return nil
	}
	return &edgelens.Season{Period: time.Duration(lag) * bucketWidth, Strength: strength, Periods: float64(len(means)) / float64(lag)}
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
