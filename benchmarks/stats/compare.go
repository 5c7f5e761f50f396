package stats

import "math"

// Verdict is the assessment of a difference.
type Verdict string

// The verdicts.
const (
	// Changed: significant, and large enough to matter.
	Changed Verdict = "changed"
	// Noise: not significant, or too small to matter.
	Noise Verdict = "noise"
	// TooFew: too few runs for a significant result.
	TooFew Verdict = "too few runs"
)

// Rules define which differences count.
type Rules struct {
	// Alpha is the significance level.
	Alpha float64
	// Threshold is the minimum relevant change of the median.
	Threshold float64
	// Seed is the random seed of the bootstrap.
	Seed uint64
}

// DefaultRules are p < 0.05 and at least 2%.
func DefaultRules() Rules { return Rules{Alpha: 0.05, Threshold: 0.02, Seed: 1} }

// Comparison is the assessment of a difference.
type Comparison struct {
	Old, New float64 // medians
	// Change is New/Old - 1, and Interval its 95% confidence interval.
	Change   float64
	Interval Interval
	P        float64
	Verdict  Verdict
}

// Compare compares a figure's values, one for each run.
func Compare(old, now []float64, rules Rules) Comparison {
	c := Comparison{Old: Median(old), New: Median(now), P: MannWhitney(old, now)}
	c.Change = c.New/c.Old - 1
	c.Interval = RatioInterval(old, now, rules.Seed)
	c.Interval.Low--
	c.Interval.High--
	switch {
	case minP(len(old), len(now)) >= rules.Alpha:
		c.Verdict = TooFew
	case c.P < rules.Alpha && math.Abs(c.Change) >= rules.Threshold:
		c.Verdict = Changed
	default:
		c.Verdict = Noise
	}
	return c
}

// minP is the smallest possible p of MannWhitney: that of values that do not overlap at all, 2 of all n+m over n
// splits.
func minP(n, m int) float64 {
	if n == 0 || m == 0 {
		return 1
	}
	splits := 1.0
	for i := 1; i <= n; i++ {
		splits *= float64(m+i) / float64(i)
	}
	return 2 / splits
}
