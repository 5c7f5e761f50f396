package inference

import (
	"math"

	"edgelens/models"
)

// detectActivation tells probabilities from logits.
//
// A quantized SOFTMAX or LOGISTIC always has the scale 1/256 and the zero
// point that puts 0 at the lowest value (the TFLite quantization spec demands
// it), and nothing else that ends a classifier has. A float32 output gives no
// such hint, so the outputs of the warm-up on noise decide: probabilities are
// within [0, 1] and add up to 1, every time. A float32 model that ends in a
// sigmoid needs `output: probabilities` in the manifest.
func detectActivation(output models.TensorSpec, warmUp [][]byte) models.Activation {
	if output.DType != models.Float32 {
		lowest := 0
		if output.DType == models.Int8 {
			lowest = -128
		}
		if output.ZeroPoint == lowest && math.Abs(output.Scale*256-1) < 0.01 {
			return models.ActivationProbabilities
		}
		return models.ActivationLogits
	}
	values := make([]float32, output.Elements())
	for _, raw := range warmUp {
		if output.Dequantize(values, raw) != nil || !addUpToOne(values) {
			return models.ActivationLogits
		}
	}
	return models.ActivationProbabilities
}

func addUpToOne(values []float32) bool {
	sum := 0.0
	for _, v := range values {
		if !(v >= 0 && v <= 1) { // NaN too
			return false
		}
		sum += float64(v)
	}
	return math.Abs(sum-1) < 0.01
}
