package sensor

import (
	"math"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/clocks"
)

func TestShortDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 250 * time.Millisecond: "250ms", 31 * time.Second: "31s", 31*time.Second + 499*time.Millisecond: "31s", 90 * time.Second: "1m30s", time.Minute: "1m",
		10 * time.Minute: "10m", time.Hour: "1h", 90*time.Minute + 29*time.Second: "1h30m", 12 * time.Hour: "12h", 24 * time.Hour: "1d", 51 * time.Hour: "2d3h", 24*time.Hour + 5*time.Minute: "1d5m",
	} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// BenchmarkAnalysis is the analysis of one series with a full window and full means, once with
// those of ten minutes, and once without, as nearly always.
func BenchmarkAnalysis(b *testing.B) {
	config := DefaultConfig()
	s, err := newSeries(key{"a", "b"}, false, &config, nil)
	if err != nil {
		b.Fatal(err)
	}
	start := time.Date(2026, 4, 10, 0, 0, 0, 0, time.UTC)
	for i := range 84 * 60 {
		at := time.Duration(i) * time.Minute
		now := clocks.Reading{Wall: start.Add(at), Monotonic: at}
		value := 20 + 5*math.Sin(2*math.Pi*float64(i)/60) + math.Sin(float64(i*i))
		if _, _, err := s.add(edgelens.Reading{Value: value, At: now.Wall, ReceivedAt: now.Wall, Freshness: edgelens.FreshnessFresh}, now); err != nil {
			b.Fatal(err)
		}
	}
	for name, before := range map[string]int64{"window": s.buckets.Closed(), "window and means": -1} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.long.closed = before
				s.analyze(time.Hour, start)
			}
		})
	}
	if s.state.Season == nil || s.state.Season.Period.Round(time.Minute) != time.Hour {
		b.Errorf("the season is %+v, want an hour", s.state.Season)
	}
}
