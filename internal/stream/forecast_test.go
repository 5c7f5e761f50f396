package stream_test

import (
	"math"
	"testing"

	"edgelens/internal/stream"
)

func walk(seed uint64, n int) []float64 {
	values := normal(seed, n, 0, 1)
	for i := 1; i < n; i++ {
		values[i] += values[i-1]
	}
	return values
}

func TestPredict(t *testing.T) {
	line := normal(2, 300, 0, 1)
	for i := range line {
		line[i] += float64(i)
	}
	for name, test := range map[string]struct {
		values []float64
		period int
		better bool
		method string // "" is any
		want   float64
		within float64
	}{
		"noise around a mean": {normal(1, 300, 50, 5), 0, true, "", 50, 3},
		"a line with noise":   {line, 0, true, "line", 300, 3},
		"a season":            {sine(300, 24, 5, 0.5, 3), 24, true, "season", 5 * math.Sin(2*math.Pi*300/24), 1},
		"a random walk":       {walk(4, 300), 0, false, "", 0, math.Inf(1)},
		"equal values":        {make([]float64, 300), 0, false, "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, ok := stream.Predict(test.values, test.period)
			if !ok || f.Better != test.better {
				t.Fatalf("%+v, %v, want better: %v", f, ok, test.better)
			}
			if test.method != "" && f.Method != test.method || math.Abs(f.Value-test.want) > test.within {
				t.Errorf("%+v, want %v by %q", f, test.want, test.method)
			}
			if f.Better && !(f.Error < f.LastError) || f.Low > f.Value || f.High < f.Value || f.Tested < 100 {
				t.Errorf("%+v", f)
			}
		})
	}
	if _, ok := stream.Predict(normal(1, stream.MinForecast-1, 0, 1), 0); ok {
		t.Error("a prediction of too few values")
	}
	if _, ok := stream.Predict(normal(1, 100, 0, 1), 90); ok {
		t.Error("a prediction by a season that leaves nothing to test")
	}
}

// Of random walks, of which nothing can be predicted, few get a prediction by chance.
func TestPredictIsRarelyBetterByChance(t *testing.T) {
	for _, n := range []int{stream.MinForecast, 300} {
		better, smaller := 0, 0
		for seed := range uint64(500) {
			f, ok := stream.Predict(walk(seed+1000, n), 0)
			if !ok {
				t.Fatalf("no forecast of %d values", n)
			}
			if f.Better {
				better++
			}
			if f.Error < f.LastError {
				smaller++
			}
		}
		t.Logf("of 500 random walks of %d values, %d have a smaller error by some method, %d a prediction", n, smaller, better)
		if better > 10 {
			t.Errorf("%d of 500 random walks of %d values have a prediction", better, n)
		}
	}
}

// The interval holds about nine of ten values that come afterwards.
func TestPredictIntervalHoldsNineOfTen(t *testing.T) {
	in, all := 0, 0
	for seed := range uint64(400) {
		values := normal(seed, 301, 50, 5)
		f, ok := stream.Predict(values[:300], 0)
		if !ok || !f.Better {
			continue
		}
		all++
		if values[300] >= f.Low && values[300] <= f.High {
			in++
		}
	}
	if share := float64(in) / float64(all); all < 350 || share < 0.86 || share > 0.95 {
		t.Errorf("%d of %d values are in the interval", in, all)
	}
}

func BenchmarkPredict(b *testing.B) {
	values := sine(300, 24, 5, 2, 1)
	for b.Loop() {
		stream.Predict(values, 24)
	}
}
