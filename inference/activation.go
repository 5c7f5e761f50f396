package inference

import "edgelens/models"

// activationOf distinguishes probabilities from logits by outputs for inputs that are
// no images: scores that are always within [0, 1] are probabilities, whether or
// not they add up to 1 (a sigmoid for each class does not), and need no
// softmax. It is not used if the graph ends in a SOFTMAX or LOGISTIC, or the manifest
// sets the output.
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
