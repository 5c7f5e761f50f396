package stream_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"edgelens/internal/stream"
)

// near reports whether two numbers agree but for rounding.
func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}

// feed adds values one second apart.
func feed(w *stream.Window, values ...float64) {
	for i, v := range values {
		at := time.Duration(i) * time.Second
		w.Add(stream.Sample{At: int64(at), Arrival: at, Value: v})
	}
}

func normal(seed uint64, n int, mean, deviation float64) []float64 {
	random := rand.New(rand.NewPCG(seed, 1))
	values := make([]float64, n)
	for i := range values {
		values[i] = mean + deviation*random.NormFloat64()
	}
	return values
}

// After each of many additions, the window agrees with statistics of a copy of its values.
func TestWindowAgreesWithGonum(t *testing.T) {
	for name, test := range map[string]struct {
		mean, deviation float64
		limit           int
		outlier         float64
	}{
		"a huge outlier":      {50, 5, 30, 1e13},
		"small":               {0, 1, 2, 0},
		"usual":               {50, 5, 30, 0},
		"far from 0":          {1e9, 1e-2, 50, 0},
		"tiny":                {0, 1e-12, 10, 0},
		"huge":                {0, 1e14, 25, 0},
		"larger than the run": {-3, 2, 5000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := stream.NewWindow(test.limit, 0)
			values := normal(7, 2000, test.mean, test.deviation)
			for i := range values {
				if i%100 == 99 {
					values[i] *= cmp.Or(test.outlier, 1000) // it leaves the window again
				}
				w.Add(stream.Sample{Value: values[i]})
				in := slices.Clone(values[max(0, i+1-test.limit) : i+1])
				mean, deviation := stat.MeanStdDev(in, nil)
				if len(in) < 2 {
					deviation = 0
				}
				scale := slices.Max([]float64{math.Abs(mean), deviation})
				if math.Abs(w.Mean()-mean) > 1e-9*scale || math.Abs(w.Deviation()-deviation) > 1e-5*deviation {
					t.Fatalf("after %d values: mean %v, deviation %v, want %v, %v", i+1, w.Mean(), w.Deviation(), mean, deviation)
				}
				slices.Sort(in)
				if w.Len() != len(in) || w.Min() != in[0] || w.Max() != in[len(in)-1] {
					t.Fatalf("after %d values: %d from %v to %v, want %d from %v to %v", i+1, w.Len(), w.Min(), w.Max(), len(in), in[0], in[len(in)-1])
				}
				if want := (in[(len(in)-1)/2] + in[len(in)/2]) / 2; !near(w.Median(), want) {
					t.Fatalf("after %d values: median %v, want %v", i+1, w.Median(), want)
				}
			}
		})
	}
}

func TestWindowEvictsByAge(t *testing.T) {
	w := stream.NewWindow(100, 10*time.Second)
	feed(w, 1, 2, 3, 4, 5)
	for _, step := range []struct {
		now  time.Duration
		want int
	}{{10 * time.Second, 5}, {10*time.Second + 1, 4}, {13 * time.Second, 2}, {time.Second, 2}, {time.Hour, 0}} {
		w.Evict(step.now)
		if w.Len() != step.want {
			t.Errorf("at %v: %d values, want %d", step.now, w.Len(), step.want)
		}
	}
	if w.Mean() != 0 || w.Deviation() != 0 || w.Median() != 0 || w.MAD() != 0 || w.Rate() != 0 || w.Span() != 0 {
		t.Error("an empty window has statistics")
	}
	feed(w, 7)
	if w.Mean() != 7 || w.Len() != 1 {
		t.Errorf("then a value: mean %v of %d", w.Mean(), w.Len())
	}
}

func TestWindowTimes(t *testing.T) {
	w := stream.NewWindow(10, 0)
	if w.Interval(0.9) != 0 {
		t.Error("an empty window has an interval")
	}
	for i, at := range []time.Duration{0, 1, 2, 3, 4, 5, 6, 7, 8, 60} {
		at *= time.Second
		w.Add(stream.Sample{At: int64(2 * at), Arrival: at, Value: float64(i)})
	}
	if got := w.Interval(0.5); got != time.Second {
		t.Errorf("median interval %v", got)
	}
	if got := w.Interval(0.99); got != 52*time.Second {
		t.Errorf("longest interval %v", got)
	}
	if got := w.Rate(); !near(got, 9.0/60) {
		t.Errorf("rate %v", got)
	}
	if got := w.Span(); got != 2*time.Minute {
		t.Errorf("span %v", got)
	}
	if newest, ok := w.Newest(); !ok || newest.Value != 9 {
		t.Errorf("newest %v, %v", newest, ok)
	}
	if got := w.Last(3); !slices.Equal(got, []float64{7, 8, 9}) {
		t.Errorf("last three %v", got)
	}
	if got := w.Samples(nil); len(got) != 10 || got[0].Value != 0 || got[9].Value != 9 {
		t.Errorf("samples %v", got)
	}
}

// A window's memory is bounded by its limit.
func TestWindowAllocatesNothingOnceFull(t *testing.T) {
	w := stream.NewWindow(300, time.Hour)
	values := normal(1, 1000, 50, 5)
	feed(w, values...)
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		w.Add(stream.Sample{Value: values[i%len(values)]})
		w.Distances(values[i%len(values)], 3, 3.5)
		i++
	}); n != 0 {
		t.Errorf("%v allocations for each value", n)
	}
}

func BenchmarkWindow(b *testing.B) {
	w := stream.NewWindow(300, 0)
	values := normal(1, 1000, 50, 5)
	feed(w, values...)
	i := 0
	for b.Loop() {
		v := values[i%len(values)]
		w.Distances(v, 3, 3.5)
		w.Add(stream.Sample{Arrival: time.Duration(i), Value: v})
		i++
	}
}
