package privacy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"edgelens"
	"edgelens/learn/privacy"
)

// TestEpsilonEqualsDPAccounting compares with the figures of Google's library (tools/goldens/privacy.py).
func TestEpsilonEqualsDPAccounting(t *testing.T) {
	data, err := os.ReadFile("testdata/accounting.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Multiplier, Rate, Delta, Epsilon, Tight float64
		Rounds                                  int
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		var a privacy.Accountant
		// In two parts, as rounds come one by one.
		for _, rounds := range []int{c.Rounds / 2, c.Rounds - c.Rounds/2} {
			if err := a.Add(c.Multiplier, c.Rate, rounds); err != nil {
				t.Fatal(err)
			}
		}
		epsilon, err := a.Epsilon(c.Delta)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(epsilon-c.Epsilon) > 1e-6*c.Epsilon {
			t.Errorf("%+v: epsilon is %v", c, epsilon)
		}
		if epsilon < c.Tight {
			t.Errorf("%+v: epsilon is %v, below what is possible", c, epsilon)
		}
	}
}

func TestEpsilonBeforeTheFirstRound(t *testing.T) {
	var a privacy.Accountant
	if epsilon, err := a.Epsilon(1e-5); epsilon != 0 || err != nil {
		t.Errorf("epsilon is %v, %v", epsilon, err)
	}
}

func TestAccountantRefuses(t *testing.T) {
	var a privacy.Accountant
	for _, c := range [][3]float64{{0, 1, 1}, {-1, 1, 1}, {math.NaN(), 1, 1}, {math.Inf(1), 1, 1}, {1, 0, 1}, {1, 1.1, 1}, {1, math.NaN(), 1}, {1, 1, -1}} {
		if err := a.Add(c[0], c[1], int(c[2])); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("Add%v returns %v", c, err)
		}
	}
	for _, delta := range []float64{0, 1, -1, math.NaN()} {
		if _, err := a.Epsilon(delta); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("Epsilon(%v) returns %v", delta, err)
		}
	}
}

// TestNoiseIsNormal compares its distribution function with the normal one by the test of Kolmogorov and Smirnov.
func TestNoiseIsNormal(t *testing.T) {
	const n, deviation = 200_000, 2.5
	values := make([]float64, n)
	for i := range values {
		values[i] = 10
	}
	if err := privacy.AddNoise(values, deviation, rand.NewChaCha8([32]byte{19})); err != nil {
		t.Fatal(err)
	}
	slices.Sort(values)
	largest := 0.0
	for i, v := range values {
		normal := math.Erfc(-(v-10)/deviation/math.Sqrt2) / 2
		largest = max(largest, math.Abs(normal-float64(i)/n), math.Abs(normal-float64(i+1)/n))
	}
	// Of normal numbers, one set in a thousand is above.
	if critical := 1.95 / math.Sqrt(n); largest > critical {
		t.Errorf("the distribution differs by %v from the normal one, which is above %v", largest, critical)
	}
}

func TestNoiseOfNone(t *testing.T) {
	values := []float64{1, 2}
	if err := privacy.AddNoise(values, 0, bytes.NewReader(nil)); err != nil || values[0] != 1 || values[1] != 2 {
		t.Errorf("the values are %v, %v", values, err)
	}
}

func TestNoiseFails(t *testing.T) {
	if err := privacy.AddNoise(make([]float64, 1), 1, bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("noise was made of too few random bytes")
	}
	for _, deviation := range []float64{-1, math.NaN(), math.Inf(1)} {
		if err := privacy.AddNoise(make([]float64, 1), deviation, bytes.NewReader(make([]byte, 32))); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("a deviation of %v: %v", deviation, err)
		}
	}
}

// TestMaxNorm checks that noised updates stay below the bound, and that it is not far above them.
func TestMaxNorm(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{10, 1000, 20_000} {
		const clip, multiplier = 2.0, 0.3
		limit := privacy.MaxNorm(clip, multiplier, size)
		for range 20 {
			values := make([]float64, size)
			values[0] = clip
			if err := privacy.AddNoise(values, clip*multiplier, random); err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for _, v := range values {
				sum += v * v
			}
			if norm := math.Sqrt(sum); norm > limit || size >= 1000 && norm < 0.7*limit-clip {
				t.Errorf("%d values: the norm is %v, and the bound %v", size, norm, limit)
			}
		}
	}
	if limit := privacy.MaxNorm(2, 0, 100); limit != 2 {
		t.Errorf("without noise the bound is %v, not the clip", limit)
	}
}
