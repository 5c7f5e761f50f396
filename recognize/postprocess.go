package recognize

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"edgelens"
	"edgelens/models"
)

// predictions turns the raw output tensors of one image into its best classes:
// dequantize, softmax if the model outputs logits, mean, top k, labels.
func predictions(spec *models.Spec, outputs [][]byte, topK int, minScore float64) ([]edgelens.Prediction, error) {
	scores, err := probabilitiesOf(spec, outputs[0])
	if err != nil {
		return nil, err
	}
	for _, raw := range outputs[1:] {
		others, err := probabilitiesOf(spec, raw)
		if err != nil {
			return nil, err
		}
		for i, s := range others {
			scores[i] += s
		}
	}
	list := make([]edgelens.Prediction, 0, min(topK, len(scores)))
	for _, best := range top(scores, float32(len(outputs)), topK) {
		if best.probability < minScore {
			break // sorted: the rest is lower still
		}
		list = append(list, edgelens.Prediction{ClassID: best.class, Label: label(spec.Labels, best.class), Probability: best.probability})
	}
	return list, nil
}

// probabilitiesOf returns the probability of each class in a raw output tensor.
func probabilitiesOf(spec *models.Spec, raw []byte) ([]float32, error) {
	scores, err := scoresOf(spec, raw)
	if err != nil {
		return nil, err
	}
	switch {
	case len(scores) == 1:
		return both(scores[0], spec.Activation), nil
	case spec.Activation == models.ActivationLogits:
		softmax(scores)
	}
	return scores, nil
}

// scoresOf returns the numbers in a raw output tensor.
func scoresOf(spec *models.Spec, raw []byte) ([]float32, error) {
	if len(raw) != spec.Output.Bytes() || len(raw) == 0 {
		// An error of the model, which Dequantize would attribute to the request.
		return nil, fmt.Errorf("read the scores: %w: the model's output has %d bytes, not %d", edgelens.ErrInference, len(raw), spec.Output.Bytes())
	}
	scores := make([]float32, spec.Output.Elements())
	if err := spec.Output.Dequantize(scores, raw); err != nil {
		return nil, err
	}
	for _, s := range scores {
		if s != s || math.IsInf(float64(s), 0) {
			return nil, fmt.Errorf("read the scores: %w: the model's output has a number that is not finite", edgelens.ErrInference)
		}
	}
	return scores, nil
}

// both returns the probabilities of two classes from a single score, which is that
// of the second.
func both(score float32, activation models.Activation) []float32 {
	if activation == models.ActivationLogits {
		score = float32(1 / (1 + math.Exp(-float64(score))))
	}
	return []float32{1 - score, score}
}

// softmax replaces logits by probabilities that add up to 1. The largest is
// subtracted first, so that exp cannot overflow.
func softmax(scores []float32) {
	largest := scores[0]
	for _, s := range scores {
		largest = max(largest, s)
	}
	sum := 0.0
	for i, s := range scores {
		e := math.Exp(float64(s - largest))
		scores[i] = float32(e)
		sum += e
	}
	for i := range scores {
		scores[i] = float32(float64(scores[i]) / sum)
	}
}

// ranked is one of the best classes.
type ranked struct {
	class       int
	probability float64
}

// top returns the k classes with the highest probabilities, which are the sums divided by n, best first; of equal
// ones, the lower class first. They are rounded before they are compared: two that are printed alike are a tie. It keeps a sorted
// list of k and looks at each sum once, which for small k beats sorting them all.
func top(sums []float32, n float32, k int) []ranked {
	k = min(k, len(sums))
	best := make([]ranked, 0, k+1)
	for class, sum := range sums {
		p := probability(sum / n)
		if len(best) == k && p <= best[k-1].probability {
			continue // an equal one has a lower class in front of it
		}
		at := sort.Search(len(best), func(i int) bool { return best[i].probability < p })
		best = slices.Insert(best, at, ranked{class, p})
		best = best[:min(len(best), k)]
	}
	return best
}

// probability rounds to 6 decimals: a quantized score has a precision of at most
// 8 bits, and 0.59765625 reads better than its float32 neighbors.
func probability(score float32) float64 {
	return math.Round(min(1, max(0, float64(score)))*1e6) / 1e6
}

func label(labels []string, class int) string {
	if class < len(labels) && labels[class] != "" {
		return labels[class]
	}
	return fmt.Sprintf("class %d", class)
}
