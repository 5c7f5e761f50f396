package serving

import (
	"fmt"
	"math"

	"edgelens"
	"edgelens/learn/head"
	"edgelens/models"
)

// margin is by how much head.Unknown is above the best class: more than what probabilities are rounded to.
const margin = 1e-5

// classify returns the output tensor of a head for that of its extractor: the probabilities of its classes and of head.Unknown,
// float32.
func classify(h *head.Head, extractor *models.Spec, raw []byte) ([]byte, error) {
	features, err := featuresOf(extractor, raw)
	if err != nil {
		return nil, err
	}
	output := make([]byte, 0, 4*(len(h.Labels)+1))
	for _, p := range withUnknown(h.Probabilities(features), h.Threshold) {
		var number [4]byte
		models.PutFloat32(number[:], float32(p))
		output = append(output, number[:]...)
	}
	return output, nil
}

// withUnknown appends the probability of head.Unknown. It is 0 where the best class reaches the threshold, and the others stay as
// they are. Below it, Unknown counts like a class that just reaches the threshold t: it gets t/(1+t), and the others p/(1+t), so
// that they add up to 1 and Unknown is the first.
func withUnknown(probabilities []float64, threshold float64) []float64 {
	best := 0.0
	for _, p := range probabilities {
		best = max(best, p)
	}
	if best >= threshold {
		return append(probabilities, 0)
	}
	unknown := max(threshold, best+margin)
	sum := 1 + unknown
	for i := range probabilities {
		probabilities[i] /= sum
	}
	return append(probabilities, unknown/sum)
}

// featuresOf returns the numbers of an extractor's output, brought to length 1.
func featuresOf(extractor *models.Spec, raw []byte) ([]float32, error) {
	if len(raw) != extractor.Output.Bytes() {
		return nil, fmt.Errorf("read the features: %w: the output of %s has %d bytes, not %d", edgelens.ErrInference, extractor.Name, len(raw), extractor.Output.Bytes())
	}
	features := make([]float32, extractor.Output.Elements())
	if err := extractor.Output.Dequantize(features, raw); err != nil {
		return nil, err
	}
	sum := 0.0
	for _, f := range features {
		sum += float64(f) * float64(f)
	}
	length := math.Sqrt(sum)
	if !(length > 0) || math.IsInf(length, 0) { // NaN too
		return nil, fmt.Errorf("read the features: %w: they are all 0, or one is not finite", edgelens.ErrInference)
	}
	for i := range features {
		features[i] = float32(float64(features[i]) / length)
	}
	return features, nil
}
