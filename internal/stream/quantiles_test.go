package stream_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"edgelens/internal/stream"
)

var shares = []float64{0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

func sketch(t *testing.T, span time.Duration) *stream.Quantiles {
	t.Helper()
	q, err := stream.NewQuantiles(span)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func add(t *testing.T, q *stream.Quantiles, at time.Duration, values ...float64) {
	t.Helper()
	for _, v := range values {
		if err := q.Add(at, v); err != nil {
			t.Fatal(err)
		}
	}
}

// The error of a quantile is at most 2% of its distance from the first value.
func TestQuantilesAgreeWithGonum(t *testing.T) {
	for name, mean := range map[string]float64{"around 0": 0, "pressures": 1013, "far away": 1e9} {
		t.Run(name, func(t *testing.T) {
			values := normal(5, 20_000, mean, 5)
			q := sketch(t, time.Hour)
			add(t, q, 0, values...)
			got, err := q.At(shares...)
			if err != nil {
				t.Fatal(err)
			}
			first := values[0]
			slices.Sort(values)
			for i, share := range shares {
				want := stat.Quantile(share, stat.Empirical, values, nil)
				if math.Abs(got[i]-want) > 0.021*math.Abs(want-first)+0.01 {
					t.Errorf("quantile %v is %v, want %v", share, got[i], want)
				}
			}
		})
	}
}

// One absurd value does not blur the others.
func TestQuantilesBesideAHugeValue(t *testing.T) {
	q := sketch(t, time.Hour)
	add(t, q, 0, 20)
	add(t, q, 0, 1e15, -1e15)
	for i := range 1000 {
		add(t, q, 0, 20+float64(i%100)/10)
	}
	got, err := q.At(0.5)
	if err != nil || math.Abs(got[0]-25) > 0.3 {
		t.Errorf("the median is %v, %v, want 25", got, err)
	}
}

func TestQuantilesForgetWhatIsOld(t *testing.T) {
	q := sketch(t, 2*time.Hour)
	if got, err := q.At(0.5); got != nil || err != nil {
		t.Errorf("empty: %v, %v", got, err)
	}
	add(t, q, 0, 10, 10, 10)
	add(t, q, time.Hour, 20)
	if got, err := q.At(0.5); err != nil || !near(got[0], 10) {
		t.Errorf("within the span: %v, %v", got, err)
	}
	add(t, q, 2*time.Hour, 30, 30, 30)
	if got, err := q.At(0, 1); err != nil || math.Abs(got[0]-20) > 0.3 || math.Abs(got[1]-30) > 0.5 {
		t.Errorf("after the span: %v, %v, want 20 to 30", got, err)
	}
	add(t, q, 50*time.Hour, 40)
	if got, err := q.At(0, 1); err != nil || math.Abs(got[0]-40) > 0.7 || got[0] != got[1] {
		t.Errorf("after a long pause: %v, %v, want 40", got, err)
	}
}
