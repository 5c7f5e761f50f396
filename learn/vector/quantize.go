// Package vector keeps feature vectors as int8 and finds the most similar ones, exactly.
package vector

import (
	"fmt"
	"math"

	"edgelens"
)

// MaxDims is the maximum number of dimensions.
const MaxDims = 16384

// Quantized is a vector of int8: a number of it is Scale times its value.
type Quantized struct {
	Scale  float32
	Values []int8
}

// Quantize returns a vector as int8, the largest of its numbers as 127 or -127. Its error is an edgelens.ErrInvalid for a vector
// of no or too many dimensions, without a direction, or with a number that is not finite.
func Quantize(v []float32) (Quantized, error) {
	if len(v) == 0 || len(v) > MaxDims {
		return Quantized{}, fmt.Errorf("quantize a vector: %w: it has %d dimensions; 1 to %d can be used", edgelens.ErrInvalid, len(v), MaxDims)
	}
	largest := 0.0
	for _, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return Quantized{}, fmt.Errorf("quantize a vector: %w: one of its numbers is not finite", edgelens.ErrInvalid)
		}
		largest = max(largest, math.Abs(float64(x)))
	}
	if largest == 0 {
		return Quantized{}, fmt.Errorf("quantize a vector: %w: all of its numbers are 0, so that it has no direction", edgelens.ErrInvalid)
	}
	q := Quantized{Scale: float32(largest / 127), Values: make([]int8, len(v))}
	for i, x := range v {
		q.Values[i] = int8(math.Round(float64(x) / largest * 127))
	}
	return q, nil
}

// Cosine returns the cosine similarity of two vectors of equal dimensions; 0 where one has no direction. Scales do not matter.
func Cosine(a, b []int8) float64 {
	var ab, aa, bb int64
	for i := range a {
		x, y := int64(a[i]), int64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return similarity(ab, inverse(aa), inverse(bb))
}

// similarity returns the cosine similarity of two vectors by their product and the inverses of their lengths.
func similarity(product int64, inverseA, inverseB float64) float64 {
	return float64(product) * inverseA * inverseB
}

// inverse returns the inverse of the length of a vector with that square of its length.
func inverse(square int64) float64 { return 1 / math.Sqrt(float64(square)) }
