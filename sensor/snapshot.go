package sensor

import (
	"time"

	"edgelens"
	"edgelens/internal/stream"
)

// shares are those of the published quantiles.
var shares = []float64{0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

// snapshot returns the series as it is published.
func (s *series) snapshot() (edgelens.Series, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	state.Window = summary(s.window)
	state.Stuck = s.stuck()
	if !state.Stuck {
		state.StuckSince = time.Time{}
	}
	if state.Silent {
		state.SilentSince = state.ReceivedAt
	}
	state.Trend.Simple = s.simpleTrend()
	values, err := s.quantiles.At(shares...)
	for i, value := range values {
		state.Quantiles = append(state.Quantiles, edgelens.Quantile{Share: shares[i], Value: value})
	}
	return state, err
}

func summary(w *stream.Window) edgelens.WindowStats {
	return edgelens.WindowStats{
		Count: w.Len(), Span: w.Span(), Min: w.Min(), Max: w.Max(), Mean: w.Mean(), Median: w.Median(),
		Deviation: w.Deviation(), MAD: w.MAD(), Rate: w.Rate(),
	}
}

// simpleTrend is the rule of the last five values. mu is held.
func (s *series) simpleTrend() edgelens.Direction {
	direction, ok := stream.Simple(s.window.Last(5))
	if !ok {
		return edgelens.DirectionUnknown
	}
	return directionOf(direction)
}

func directionOf(sign int) edgelens.Direction {
	switch {
	case sign > 0:
		return edgelens.DirectionIncreasing
	case sign < 0:
		return edgelens.DirectionDecreasing
	}
	return edgelens.DirectionStable
}
