package stream_test

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"edgelens/internal/stream"
)

func TestMADAgreesWithItsDefinition(t *testing.T) {
	for n := 1; n < 60; n++ {
		values := normal(uint64(n), n, 3, 2)
		if n%3 == 0 {
			for i := range values {
				values[i] = math.Round(values[i]) // ties
			}
		}
		w := stream.NewWindow(100, 0)
		feed(w, values...)
		sorted := slices.Sorted(slices.Values(values))
		center := (sorted[(n-1)/2] + sorted[n/2]) / 2
		distances := make([]float64, n)
		for i, v := range values {
			distances[i] = math.Abs(v - center)
		}
		slices.Sort(distances)
		if want := (distances[(n-1)/2] + distances[n/2]) / 2; !near(w.MAD(), want) {
			t.Errorf("of %d values: %v, want %v", n, w.MAD(), want)
		}
	}
}

// The scale of the robust distance makes it a number of standard deviations.
func TestDistancesOfNormalValues(t *testing.T) {
	values := normal(3, 10_000, 50, 5)
	w := stream.NewWindow(len(values), 0)
	feed(w, values...)
	sigma, robust, ok := w.Distances(70, 3, 3.5)
	if !ok || math.Abs(sigma-4) > 0.1 || math.Abs(robust-4) > 0.15 {
		t.Errorf("70 is %v and %v from a normal 50 ± 5, want 4", sigma, robust)
	}
	scale := 1 / distuv.UnitNormal.Quantile(0.75)
	if _, robust, _ := w.Distances(70, math.Inf(1), math.Inf(1)); !near(robust, (70-w.Median())/(scale*w.MAD())) {
		t.Errorf("robust %v by another scale than 1/Φ⁻¹(3/4)", robust)
	}
}

// A value inside its own window of n values is at most (n-1)/√n sample deviations from the mean:
// 2.85 for ten, so that a limit of 3 marks nothing. Before the point, there is no such bound.
func TestSigmaInsideItsOwnWindowIsBounded(t *testing.T) {
	ten := []float64{0, 1e-3, -1e-3, 2e-3, -2e-3, 1e-3, 0, 2e-3, -1e-3, 1e12}
	mean, deviation := stat.MeanStdDev(ten, nil)
	if inside := (1e12 - mean) / deviation; inside > 9/math.Sqrt(10)+1e-9 || inside < 2.84 {
		t.Errorf("inside its own window: %v deviations", inside)
	}
	w := stream.NewWindow(100, 0)
	feed(w, ten[:9]...)
	if before, _, ok := w.Distances(1e12, 3, 3.5); !ok || before < 1e6 {
		t.Errorf("against the window before it: %v, %v", before, ok)
	}
}

func TestDistancesWithoutScale(t *testing.T) {
	for name, test := range map[string]struct {
		window []float64
		value  float64
		marked bool // one of the distances is beyond 3
		ok     bool
	}{
		"nothing":                          {nil, 5, false, false},
		"one value":                        {[]float64{5}, 500, false, false},
		"equal ones":                       {[]float64{5, 5, 5, 5, 5, 5}, 500, false, false},
		"rounded, one more step":           {[]float64{21, 21, 21, 21, 21, 21, 21, 21, 21, 21.1}, 21.2, false, true},
		"rounded, the other again":         {[]float64{21, 21, 21, 21, 21, 21, 21, 21, 21, 21.1}, 21.1, false, true},
		"rounded, far away":                {[]float64{21, 21, 21, 21, 21, 21, 21, 21, 21, 21.1}, 22, true, true},
		"the median deviation of 0 counts": {[]float64{0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, 100, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := stream.NewWindow(100, 0)
			feed(w, test.window...)
			sigma, robust, ok := w.Distances(test.value, 3, 3.5)
			if marked := math.Abs(sigma) > 3 || math.Abs(robust) > 3.5; marked != test.marked || ok != test.ok {
				t.Errorf("%v, %v, %v, want marked %v, %v", sigma, robust, ok, test.marked, test.ok)
			}
		})
	}
}
