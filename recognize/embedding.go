package recognize

import (
	"fmt"
	"math"

	"edgelens"
	"edgelens/models"
)

// embedding turns the raw output tensors of one image, one for each part of a sweep, into its feature vector: the mean of
// them, each of length 1, brought to length 1.
func embedding(spec *models.Spec, outputs [][]byte) ([]float32, error) {
	sum := make([]float64, spec.Output.Elements())
	for _, raw := range outputs {
		features, err := scoresOf(spec, raw)
		if err != nil {
			return nil, err
		}
		length := lengthOf(features)
		if length == 0 {
			return nil, fmt.Errorf("read the features: %w: all are 0, so that the image has no direction in the model's space", edgelens.ErrInference)
		}
		for i, f := range features {
			sum[i] += float64(f) / length
		}
	}
	mean := make([]float32, len(sum))
	for i, s := range sum {
		mean[i] = float32(s)
	}
	length := lengthOf(mean)
	if length == 0 {
		return nil, fmt.Errorf("read the features: %w: those of the parts of the image cancel each other out", edgelens.ErrInference)
	}
	for i := range mean {
		mean[i] = float32(float64(mean[i]) / length)
	}
	return mean, nil
}

// lengthOf returns the Euclidean length of a vector.
func lengthOf(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
