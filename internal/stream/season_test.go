package stream_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"

	"edgelens/internal/stream"
)

func sine(n int, period, amplitude, noise float64, seed uint64) []float64 {
	values := normal(seed, n, 0, noise)
	for i := range values {
		values[i] += amplitude * math.Sin(2*math.Pi*float64(i)/period)
	}
	return values
}

// For a long stationary series, the autocorrelation is the correlation of the series with its
// shifted copy, which gonum computes with a mean for each part.
func TestAutocorrelationAgreesWithGonum(t *testing.T) {
	values := sine(5000, 24, 3, 1, 1)
	for _, lag := range []int{1, 2, 6, 12, 24, 30, 48} {
		want := stat.Correlation(values[:len(values)-lag], values[lag:], nil)
		if got := stream.Autocorrelation(values, lag); math.Abs(got-want) > 0.01 {
			t.Errorf("at lag %d: %v, want %v", lag, got, want)
		}
	}
	if got := stream.Autocorrelation([]float64{2, 2, 2}, 1); got != 0 {
		t.Errorf("of equal values: %v", got)
	}
	if got := stream.Autocorrelation([]float64{1, 2}, 5); got != 0 {
		t.Errorf("beyond the values: %v", got)
	}
}

func TestSeason(t *testing.T) {
	ramp := func(values []float64) []float64 {
		for i := range values {
			values[i] += 0.5 * float64(i)
		}
		return values
	}
	square := make([]float64, 120)
	for i := range square {
		square[i] = float64(i / 10 % 2)
	}
	bumps := normal(1, 300, 0, 0.01)
	for i := range 10 {
		bumps[100+i]++
		bumps[160+i]++
	}
	for name, test := range map[string]struct {
		values []float64
		want   int // 0: none
	}{
		"two bumps":             {bumps, 0},
		"a sine":                {sine(300, 24, 5, 0, 1), 24},
		"with noise":            {sine(300, 24, 5, 2, 1), 24},
		"on a line":             {ramp(sine(300, 24, 5, 1, 1)), 24},
		"a square wave":         {square, 20},
		"exactly three periods": {sine(72, 24, 5, 0, 1), 24},
		"less than three":       {sine(66, 24, 5, 0, 1), 0},
		"hidden in noise":       {sine(300, 24, 1, 5, 1), 0},
		"noise":                 {normal(1, 300, 50, 5), 0},
		"equal values":          {make([]float64, 300), 0},
		"a line":                {ramp(make([]float64, 300)), 0},
		"too few":               {[]float64{1, 2, 1, 2, 1}, 0},
		"a single step":         {append(make([]float64, 100), ramp(normal(1, 100, 100, 0))...), 0},
	} {
		t.Run(name, func(t *testing.T) {
			lag, strength, ok := stream.Season(test.values)
			if ok != (test.want != 0) || ok && math.Abs(float64(lag-test.want)) > 1 {
				t.Errorf("period %d of strength %.2f, %v, want %d", lag, strength, ok, test.want)
			}
			if ok && (strength < 0.5 || strength > 1) {
				t.Errorf("strength %v", strength)
			}
		})
	}
}

// Noise has no season, and a random walk, which wanders like one, rarely.
func TestSeasonIsRarelyFoundByChance(t *testing.T) {
	inNoise, inWalks := 0, 0
	for seed := range uint64(300) {
		noise := normal(seed, 300, 0, 1)
		if _, _, ok := stream.Season(noise); ok {
			inNoise++
		}
		for i := 1; i < len(noise); i++ {
			noise[i] += noise[i-1]
		}
		if _, _, ok := stream.Season(noise); ok {
			inWalks++
		}
	}
	if inNoise > 0 || inWalks > 6 {
		t.Errorf("a season in %d of 300 series of noise, and in %d of 300 random walks", inNoise, inWalks)
	}
}

func TestEven(t *testing.T) {
	sample := func(seconds, value float64) stream.Sample {
		return stream.Sample{At: int64(seconds * 1e9), Value: value}
	}
	line := func(times ...float64) (samples []stream.Sample) {
		for _, at := range times {
			samples = append(samples, sample(at, 10*at))
		}
		return samples
	}
	many := func(n int, step float64, without int) (times []float64) {
		for i := range n {
			if i != without {
				times = append(times, float64(i)*step)
			}
		}
		return times
	}
	for name, test := range map[string]struct {
		samples []stream.Sample
		n       int // 0: too uneven
		step    float64
	}{
		"even":                {line(many(50, 2, -1)...), 50, 2},
		"one is missing":      {line(many(50, 2, 20)...), 50, 2},
		"an hour is missing":  {line(append(many(50, 2, -1), 3700)...), 0, 0},
		"irregular":           {line(0, 1, 5, 6, 20, 21, 30, 31, 32, 50), 0, 0},
		"all at one time":     {line(1, 1, 1, 1, 1), 0, 0},
		"too few":             {line(1, 2), 0, 0},
		"a value for instant": {nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			values, step, ok := stream.Even(test.samples)
			if ok != (test.n > 0) || len(values) != test.n || !near(step, test.step) && ok {
				t.Fatalf("%d values each %v s, %v, want %d", len(values), step, ok, test.n)
			}
			for i, v := range values {
				if !near(v, 10*step*float64(i)) {
					t.Errorf("value %d is %v, not on the line", i, v)
				}
			}
		})
	}
}

func BenchmarkSeason(b *testing.B) {
	values := sine(300, 24, 5, 2, 1)
	for b.Loop() {
		stream.Season(values)
	}
}
