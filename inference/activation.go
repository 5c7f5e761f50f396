package inference

import "edgelens/models"

// activationOf tells probabilities from logits by outputs on inputs that are no
// images: scores that are within [0, 1] every time are probabilities, whether or
// not they add up to 1 (a sigmoid for each class does not), and go through no
// softmax. Where the graph ends in a SOFTMAX or LOGISTIC, or the manifest says
// what the output is, nobody asks.
func activationOf(output models.TensorSpec, outputs [][]byte) models.Activation {
	values := make([]float32, output.Elements())
	for _, raw := range outputs {
		if output.Dequantize(values, raw) != nil || !withinOne(values) {
			return models.ActivationLogits
		}
	}
	return models.ActivationProbabilities
}

func withinOne(values []float32) bool {
	const rounding = 1e-3
	for _, v := range values {
		if !(v >= -rounding && v <= 1+rounding) { // NaN too
			return false
		}
	}
	return true
}
