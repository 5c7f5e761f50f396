package stream_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat"

	"edgelens/internal/stream"
)

func TestSimpleTrend(t *testing.T) {
	for name, test := range map[string]struct {
		values []float64
		want   int
		ok     bool
	}{
		"too few":                      {[]float64{1, 2, 3, 4}, 0, false},
		"equal":                        {[]float64{5, 5, 5, 5, 5}, 0, true},
		"exactly 10% above":            {[]float64{10, 10, 11, 11, 11}, 0, true},
		"more":                         {[]float64{10, 10, 11, 11, 11.1}, 1, true},
		"less":                         {[]float64{10, 10, 9, 9, 8.9}, -1, true},
		"the last five count":          {[]float64{1000, 1000, 5, 5, 5, 5, 5}, 0, true},
		"negative, rising":             {[]float64{-10, -10, -8, -8, -8}, 1, true},
		"negative, equal":              {[]float64{-10, -10, -10, -10, -10}, 0, true},
		"from 0":                       {[]float64{0, 0, 1, 1, 1}, 1, true},
		"a spike in the middle is one": {[]float64{10, 10, 50, 10, 10}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := stream.Simple(test.values); got != test.want || ok != test.ok {
				t.Errorf("%d, %v, want %d, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

// For a strictly monotonous series of n values, S is n(n-1)/2 and its variance
// n(n-1)(2n+5)/18: for ten, 45 and 125.
func TestMannKendallOfClosedForms(t *testing.T) {
	rising := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	want := math.Erfc(44 / math.Sqrt(125) / math.Sqrt2)
	if p, sign := stream.MannKendall(rising); !near(p, want) || sign != 1 {
		t.Errorf("rising: %v, %d, want %v", p, sign, want)
	}
	falling := []float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}
	if p, sign := stream.MannKendall(falling); !near(p, want) || sign != -1 {
		t.Errorf("falling: %v, %d, want %v", p, sign, want)
	}
	// Two groups of ties, of two and of three: the variance is less by 2·1·9 + 3·2·11 = 84
	// eighteenths; S counts 6 pairs.
	tied := []float64{1, 1, 2, 2, 2}
	if p, sign := stream.MannKendall(tied); !near(p, math.Erfc(5/math.Sqrt((5*4*15-84)/18.0)/math.Sqrt2)) || sign != 1 {
		t.Errorf("ties: %v, %d", p, sign)
	}
	for name, values := range map[string][]float64{"none": nil, "one": {1}, "equal": {3, 3, 3, 3, 3, 3}, "balanced": {1, 2, 1}} {
		if p, sign := stream.MannKendall(values); p != 1 || sign != 0 {
			t.Errorf("%s: %v, %d", name, p, sign)
		}
	}
}

// S is Kendall's tau of value and order, which gonum computes, times the number of pairs.
func TestMannKendallAgreesWithKendallsTau(t *testing.T) {
	for seed := range uint64(50) {
		n := 10 + int(seed)
		values, order := normal(seed, n, 0, 1), make([]float64, n)
		for i := range order {
			order[i] = float64(i)
			values[i] += 0.02 * float64(seed) * float64(i)
		}
		s := math.Round(stat.Kendall(order, values, nil) * float64(n*(n-1)) / 2)
		want := math.Erfc(max(0, math.Abs(s)-1) / math.Sqrt(float64(n*(n-1)*(2*n+5))/18) / math.Sqrt2)
		if s == 0 {
			want = 1
		}
		if p, sign := stream.MannKendall(values); !near(p, want) || float64(sign)*s < 0 {
			t.Errorf("%d values: p %v, sign %d, want %v of S %v", n, p, sign, want, s)
		}
	}
}

// Without a trend, one test in a hundred is below 1%.
func TestMannKendallIsRarelyWrong(t *testing.T) {
	below := 0
	for seed := range uint64(2000) {
		if p, _ := stream.MannKendall(normal(seed+100, 60, 50, 5)); p < 0.01 {
			below++
		}
	}
	if below < 5 || below > 40 {
		t.Errorf("%d of 2000 series of noise have a trend at 1%%", below)
	}
}

func TestTheilSen(t *testing.T) {
	times, values := make([]float64, 50), make([]float64, 50)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range times {
		times[i] = float64(i) + random.Float64()/2
		values[i] = 7 - 0.5*times[i]
	}
	if slope, ok := stream.TheilSen(times, values); !ok || !near(slope, -0.5) {
		t.Errorf("a line: %v, %v", slope, ok)
	}
	for i := range 10 {
		values[5*i] = 1e6 // up to 29% of outliers do not change it
	}
	if slope, ok := stream.TheilSen(times, values); !ok || math.Abs(slope+0.5) > 0.3 {
		t.Errorf("a line with outliers: %v, %v", slope, ok)
	}
	if _, ok := stream.TheilSen([]float64{1, 1, 1}, []float64{1, 2, 3}); ok {
		t.Error("a slope at one time")
	}
	if _, ok := stream.TheilSen(nil, nil); ok {
		t.Error("a slope of nothing")
	}
}

func BenchmarkTrend(b *testing.B) {
	values, times := normal(1, 60, 50, 5), make([]float64, 60)
	for i := range times {
		times[i] = float64(i)
	}
	for b.Loop() {
		stream.MannKendall(values)
		stream.TheilSen(times, values)
	}
}
