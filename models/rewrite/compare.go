package rewrite

import (
	"context"
	"fmt"
	"math"
)

// Agreement measures how similar the outputs of two models are.
type Agreement struct {
	// Inputs is how many were compared.
	Inputs int
	// Same is for how many of them both put the same class first, and Close
	// for how many the other's first class is, by the original's own score,
	// within CloseScore of its first: such a difference is chance.
	Same, Close int
	// MeanDifference is the mean absolute difference of a score, over all
	// classes and inputs, and FirstDifference that of the original's first
	// class. Both are 0 to 1 for probabilities.
	MeanDifference, FirstDifference float64
	// LeastCosine is the least cosine similarity of the outputs, over the inputs: how alike they are as feature vectors.
	LeastCosine float64
}

// String returns the agreement as a clause of a sentence.
func (a Agreement) String() string {
	return fmt.Sprintf("the same first class, or one scored as high, for %.1f%% of %d generated images; scores differ by %.5f in the mean",
		100*a.SameOrClose(), a.Inputs, a.MeanDifference)
}

// FeaturesString is String for models that give feature vectors.
func (a Agreement) FeaturesString() string {
	return fmt.Sprintf("a cosine similarity of at least %.4f of the feature vectors of %d generated images", a.LeastCosine, a.Inputs)
}

// CloseScore is about six steps of a quantized score.
const CloseScore = 0.025

// Top1 is the share of inputs with the same first class.
func (a Agreement) Top1() float64 { return share(a.Same, a.Inputs) }

// SameOrClose is the share of inputs with the same first class or one that the
// original scores as high.
func (a Agreement) SameOrClose() float64 { return share(a.Close, a.Inputs) }

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// Scores runs a model on a tensor and returns its scores, which are used until
// the next call.
type Scores func(tensor []byte) ([]float32, error)

// Compare runs both models on each input. It stops when ctx ends.
func Compare(ctx context.Context, inputs [][]byte, original, other Scores) (Agreement, error) {
	a := Agreement{LeastCosine: 1}
	var all, first float64
	classes := 0
	for _, tensor := range inputs {
		if err := ctx.Err(); err != nil {
			return a, err
		}
		x, err := original(tensor)
		if err != nil {
			return a, fmt.Errorf("run the original: %w", err)
		}
		y, err := other(tensor)
		if err != nil {
			return a, fmt.Errorf("run the rewritten model: %w", err)
		}
		if len(x) != len(y) || len(x) == 0 {
			return a, fmt.Errorf("the models give %d and %d scores", len(x), len(y))
		}
		i, k := largest(x), largest(y)
		a.Inputs++
		if i == k {
			a.Same++
		}
		if i == k || x[i]-x[k] <= CloseScore {
			a.Close++
		}
		for c := range x {
			all += math.Abs(float64(x[c]) - float64(y[c]))
		}
		a.LeastCosine = min(a.LeastCosine, cosine(x, y))
		classes += len(x)
		first += math.Abs(float64(x[i]) - float64(y[i]))
	}
	if classes > 0 {
		a.MeanDifference, a.FirstDifference = all/float64(classes), first/float64(a.Inputs)
	}
	return a, nil
}

func largest(scores []float32) int {
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	return best
}

// cosine returns the cosine similarity of two vectors; 0 where one has no direction.
func cosine(x, y []float32) float64 {
	var xy, xx, yy float64
	for i := range x {
		xy += float64(x[i]) * float64(y[i])
		xx += float64(x[i]) * float64(x[i])
		yy += float64(y[i]) * float64(y[i])
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}
