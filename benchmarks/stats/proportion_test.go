package stats_test

import (
	"fmt"
	"math"
	"testing"

	"edgelens/benchmarks/stats"
)

// The intervals are those of R: prop.test(right, n, correct = FALSE)$conf.int.
func TestWilson(t *testing.T) {
	for _, tt := range []struct {
		right, n  int
		low, high float64
	}{
		{0, 0, 0, 1},
		{0, 10, 0, 0.2775328},
		{10, 10, 0.7224672, 1},
		{1, 1, 0.2065493, 1},
		{81, 263, 0.2553, 0.3662}, // R. G. Newcombe, Statistics in Medicine 17, 1998, table I
		{15, 148, 0.0624, 0.1605}, // the same
		{0, 20, 0, 0.1611},        // the same
		{1, 29, 0.0061, 0.1718},   // the same
		{50, 100, 0.403832, 0.596168},
	} {
		t.Run(fmt.Sprintf("%d of %d", tt.right, tt.n), func(t *testing.T) {
			got := stats.Wilson(tt.right, tt.n)
			if math.Abs(got.Low-tt.low) > 6e-5 || math.Abs(got.High-tt.high) > 6e-5 {
				t.Errorf("%.6f to %.6f, want %.6f to %.6f", got.Low, got.High, tt.low, tt.high)
			}
		})
	}
}

// The p-values are those of R: binom.test(b, b + c)$p.value.
func TestMcNemar(t *testing.T) {
	for _, tt := range []struct {
		b, c int
		want float64
	}{
		{0, 0, 1},
		{1, 0, 1},
		{3, 3, 1},
		{0, 5, 0.0625},
		{0, 6, 0.03125},
		{1, 9, 0.021484375},
		{2, 8, 0.109375},
		{10, 0, 0.001953125},
		{6, 16, 0.05248},
		{5, 16, 0.0266037},
	} {
		t.Run(fmt.Sprintf("%d and %d", tt.b, tt.c), func(t *testing.T) {
			if got := stats.McNemar(tt.b, tt.c); math.Abs(got-tt.want) > 1e-5 {
				t.Errorf("p = %.7f, want %.7f", got, tt.want)
			}
			if one, other := stats.McNemar(tt.b, tt.c), stats.McNemar(tt.c, tt.b); one != other {
				t.Errorf("p depends on the order: %v and %v", one, other)
			}
		})
	}
	if p := stats.McNemar(40_000, 41_000); !(p > 1e-5 && p < 1e-3) {
		t.Errorf("many pairs: p = %v", p)
	}
}
