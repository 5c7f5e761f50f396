package kernelcheck

import (
	"fmt"
	"math"

	"edgelens"
)

// The limits, from the figures in docs/adr/0030-kernel-check.md.
const (
	// clearMargin is by how much a probability must be above all others for its class to be
	// clear.
	clearMargin = 0.3
	// minClear is how many images must be clear for their classes to count.
	minClear = 3
	// maxOther is the greatest share of clear images that may get another first class.
	maxOther = 0.25
	// minCorrelation is the least correlation of the scores.
	minCorrelation = 0.85
	// minSpread is the least standard deviation of the reference's scores over the images
	// for which a correlation means something: in steps of a quantized score, or as a share of
	// the largest score.
	minSpreadSteps, minSpreadShare = 2, 1e-3
)

// scores are the outputs for each image, dequantized.
type scores [][]float32

// finite reports whether none is infinite or no number.
func (s scores) finite() bool {
	for _, row := range s {
		for _, v := range row {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return false
			}
		}
	}
	return true
}

// compare returns the figures of got against the reference want, and whether they agree.
// step is that of a quantized score, 0 for float32. Kernels that cannot be assessed give
// CheckUnknown.
func compare(want, got scores, step float64) (edgelens.KernelComparison, edgelens.CheckResult, string) {
	figures := edgelens.KernelComparison{Images: len(want)}
	if !want.finite() {
		return figures, edgelens.CheckUnknown, "the reference kernels give scores that are no numbers"
	}
	first := map[int]bool{}
	for i, row := range want {
		class, ok := clearFirst(row)
		if !ok {
			continue
		}
		first[class] = true
		figures.ClearImages++
		if other, valid := firstOf(got[i]); !valid || other != class {
			figures.OtherFirstClasses++
		}
	}
	if spread(want) >= minSpread(want, step) {
		r := correlation(want, got)
		figures.Correlation = &r
	}
	result, reason := resultOf(figures, len(first) > 1, got.finite())
	return figures, result, reason
}

// compareFeatures is compare for feature vectors: they have no first class, so that their correlation decides alone.
func compareFeatures(want, got scores, step float64) (edgelens.KernelComparison, edgelens.CheckResult, string) {
	figures := edgelens.KernelComparison{Images: len(want)}
	if !want.finite() {
		return figures, edgelens.CheckUnknown, "the reference kernels give features that are no numbers"
	}
	if spread(want) >= minSpread(want, step) {
		r := correlation(want, got)
		figures.Correlation = &r
	}
	result, reason := resultOf(figures, false, got.finite())
	return figures, result, reason
}

// resultOf returns the result of figures. varied is whether the clear images are of more than
// one class: a kernel that always gives the same one would agree otherwise.
func resultOf(f edgelens.KernelComparison, varied, finite bool) (edgelens.CheckResult, string) {
	enough := f.ClearImages >= minClear
	switch {
	case !finite:
		return edgelens.CheckFailed, "it gives scores that are no numbers"
	case enough && float64(f.OtherFirstClasses) > maxOther*float64(f.ClearImages):
		return edgelens.CheckFailed, fmt.Sprintf("it puts another class first for %d of %d images", f.OtherFirstClasses, f.ClearImages)
	case f.Correlation != nil && *f.Correlation < minCorrelation:
		return edgelens.CheckFailed, fmt.Sprintf("its scores have a correlation of %.2f with the right ones, and %.2f is the least", *f.Correlation, minCorrelation)
	case f.Correlation == nil && !(enough && varied):
		return edgelens.CheckUnknown, "the model gives nearly the same scores for all images, so that wrong kernels would not be seen"
	}
	return edgelens.CheckPassed, ""
}

// clearFirst returns the first class of the reference's scores, and whether it is far ahead.
func clearFirst(row []float32) (int, bool) {
	first, ok := firstOf(row)
	if !ok || len(row) < 2 {
		return first, false
	}
	p := probabilities(row)
	for c, v := range p {
		if c != first && p[first]-v < clearMargin {
			return first, false
		}
	}
	return first, true
}

// firstOf returns the class with the highest score; false where a score is no number.
func firstOf(row []float32) (int, bool) {
	best := 0
	for c, v := range row {
		if math.IsNaN(float64(v)) {
			return 0, false
		}
		if v > row[best] {
			best = c
		}
	}
	return best, true
}

// probabilities returns scores that are probabilities as they are, and the softmax of others.
func probabilities(row []float32) []float64 {
	p := make([]float64, len(row))
	most, within := math.Inf(-1), true
	for c, v := range row {
		p[c] = float64(v)
		most = max(most, p[c])
		within = within && p[c] >= -0.001 && p[c] <= 1.001
	}
	if within {
		return p
	}
	sum := 0.0
	for c := range p {
		p[c] = math.Exp(p[c] - most)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return p
}

// deviations returns how each score deviates from its class's mean over the images: what a
// kernel makes of the image, without what it gives to every one.
func deviations(s scores) []float64 {
	var list []float64
	for c := range s[0] {
		mean := 0.0
		for _, row := range s {
			mean += float64(row[c]) / float64(len(s))
		}
		for _, row := range s {
			list = append(list, float64(row[c])-mean)
		}
	}
	return list
}

// correlation returns Pearson's coefficient of the deviations; 0 where those of got are all
// zero or no numbers.
func correlation(want, got scores) float64 {
	a, b := deviations(want), deviations(got)
	var ab, aa, bb float64
	for i := range a {
		ab += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	if r := ab / math.Sqrt(aa*bb); !math.IsNaN(r) {
		return r
	}
	return 0
}

// spread returns the standard deviation over the images of the score that varies most.
func spread(s scores) float64 {
	most := 0.0
	d := deviations(s)
	for i := 0; i < len(d); i += len(s) {
		sum := 0.0
		for _, v := range d[i : i+len(s)] {
			sum += v * v
		}
		most = max(most, math.Sqrt(sum/float64(len(s))))
	}
	return most
}

// minSpread returns the least spread that is assessed.
func minSpread(s scores, step float64) float64 {
	largest := 0.0
	for _, row := range s {
		for _, v := range row {
			largest = max(largest, math.Abs(float64(v)))
		}
	}
	return max(minSpreadSteps*step, minSpreadShare*largest, math.SmallestNonzeroFloat64)
}
