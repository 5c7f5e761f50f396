package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"edgelens/benchmarks/stats"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9*max(1, math.Abs(b)) }

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.5: 2.5, 0.25: 1.75, 1: 4} {
		if got := stats.Quantile(values, q); !near(got, want) {
			t.Errorf("%v-quantile %v, want %v", q, got, want)
		}
	}
	if !math.IsNaN(stats.Median(nil)) || stats.Median([]float64{7}) != 7 || values[0] != 4 {
		t.Error("of none, of one, or the argument was sorted")
	}
	if got := stats.Deviation([]float64{2, 4, 4, 4, 5, 5, 7, 9}); !near(got, math.Sqrt(32.0/7)) {
		t.Errorf("deviation %v", got)
	}
}

func TestMedianIntervalCoverage(t *testing.T) {
	held := 0
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		values := make([]float64, 20)
		for i := range values {
			values[i] = 100 + random.NormFloat64()
		}
		in := stats.MedianInterval(values, 1)
		if in != stats.MedianInterval(values, 1) {
			t.Fatal("the same seed gave another interval")
		}
		if in.Low <= 100 && 100 <= in.High {
			held++
		}
	}
	if held < 178 || held == 200 { // 95% of 200, less three standard deviations
		t.Errorf("%d of 200 intervals hold the true median", held)
	}
}

// The exact figures are those of R's wilcox.test and of manual counting.
func TestMannWhitney(t *testing.T) {
	span := func(from, n int) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = float64(from + i)
		}
		return values
	}
	for name, tt := range map[string]struct {
		a, b []float64
		want float64
	}{
		"apart, 3 and 3":      {span(1, 3), span(4, 3), 0.1},
		"apart, 4 and 4":      {span(1, 4), span(5, 4), 2.0 / 70},
		"apart, 5 and 5":      {span(1, 5), span(6, 5), 2.0 / 252},
		"apart, other way":    {span(6, 5), span(1, 5), 2.0 / 252},
		"interleaved":         {[]float64{1, 3, 5}, []float64{2, 4, 6}, 0.7},
		"all equal":           {[]float64{1, 1, 1, 1}, []float64{1, 1, 1, 1}, 1},
		"ties, 2 and 2":       {[]float64{1, 2}, []float64{2, 3}, 4.0 / 6},
		"empty":               {nil, span(1, 5), 1},
		"many, all equal":     {make([]float64, 15), make([]float64, 15), 1},
		"many, normal, apart": {span(1, 15), span(16, 15), 3.391e-06},
	} {
		t.Run(name, func(t *testing.T) {
			if got := stats.MannWhitney(tt.a, tt.b); math.Abs(got-tt.want) > 1e-3*tt.want+1e-12 {
				t.Errorf("p = %v, want %v", got, tt.want)
			}
		})
	}
}

// runs makes the figures of n runs with noise of that standard deviation.
func runs(random *rand.Rand, n int, median, noise float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = median * (1 + noise*random.NormFloat64())
	}
	return values
}

// Five runs on a machine with a deviation of 1% between runs must suffice.
func TestFivePercentChangeIsDetected(t *testing.T) {
	for name, tt := range map[string]struct {
		runs          int
		change, noise float64
		want          stats.Verdict
	}{
		"5% slower, 5 runs":            {5, 0.05, 0.01, stats.Changed},
		"5% faster, 5 runs":            {5, -0.05, 0.01, stats.Changed},
		"nothing, 5 runs":              {5, 0, 0.01, stats.Noise},
		"5% slower, 10 runs, 2% noise": {10, 0.05, 0.02, stats.Changed},
		"5% faster, 10 runs, 2% noise": {10, -0.05, 0.02, stats.Changed},
		"nothing, 10 runs, 2% noise":   {10, 0, 0.02, stats.Noise},
		"nothing, 20 runs, 2% noise":   {20, 0, 0.02, stats.Noise},
		"1% is too small to matter":    {20, 0.01, 0.001, stats.Noise},
		"three runs are too few":       {3, 0.05, 0.001, stats.TooFew},
	} {
		t.Run(name, func(t *testing.T) {
			right := 0
			for seed := range uint64(100) {
				random := rand.New(rand.NewPCG(seed, 42))
				c := stats.Compare(runs(random, tt.runs, 50, tt.noise), runs(random, tt.runs, 50*(1+tt.change), tt.noise), stats.DefaultRules())
				if c.Verdict == tt.want && (tt.want != stats.Changed || c.Change*tt.change > 0) {
					right++
				}
			}
			t.Logf("right for %d of 100 seeds", right)
			if right < 95 {
				t.Errorf("%d of 100 seeds, want at least 95", right)
			}
		})
	}
}
