package requantize

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
	"edgelens/models/rewrite"
)

const (
	// checkScenes is how many generated images a rewritten model is compared on.
	checkScenes = 48
	// minAgreement is the share of them for which it must name the original's first
	// class, or one that the original scores as high. Generated images are
	// harder than photographs: no class is far ahead.
	minAgreement = 0.9
	// maxDifference is the maximum mean difference of a score.
	maxDifference = 0.02
	// minCosine is the least cosine similarity of the feature vectors of one image.
	minCosine = 0.99
)

// Comparison compares a model with its int8 variant.
type Comparison struct {
	Backend inference.Backend
	// Prober tries both files first; nil if they are known to be safe.
	Prober inference.Prober
	// Config has the threads and the delegate that both run with.
	Config inference.Config
}

// Compare runs both models, whose task is given, on generated images. The error wraps edgelens.ErrModel where
// the variant must not replace the original.
func (c Comparison) Compare(ctx context.Context, task, original, requantized string) (a rewrite.Agreement, err error) {
	for _, path := range []string{original, requantized} {
		if err := TryFile(ctx, c.Prober, path, "", c.Config); err != nil {
			return a, err
		}
	}
	options := inference.Options{Threads: c.Config.Threads, Runtime: c.Config.Runtime, Delegate: c.Config.Delegate}
	first, err := NewScorer(c.Backend, original, options)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, first.Close()) }()
	second, err := NewScorer(c.Backend, requantized, options)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, second.Close()) }()
	input, err := models.NewInputSpec(first.Interpreter.Input(), nil)
	if err != nil {
		return a, err
	}
	if options.Delegate != inference.DelegateNone && second.Interpreter.Delegation().Delegate != inference.DelegateXNNPACK {
		return a, fmt.Errorf("%w: XNNPACK does not support the requantized model either", edgelens.ErrModel)
	}
	tensors := rewrite.Scenes(input.Width, input.Height, checkScenes)
	if input.Channels == 1 {
		tensors = greens(tensors)
	}
	a, err = rewrite.Compare(ctx, tensors, first.Scores, second.Scores)
	if err != nil {
		return a, fmt.Errorf("%w: compare the models: %w", edgelens.ErrModel, err)
	}
	if task == edgelens.TaskEmbedding {
		if a.LeastCosine < minCosine {
			return a, fmt.Errorf("%w: the requantized model gives other feature vectors: %s", edgelens.ErrModel, a.FeaturesString())
		}
		return a, nil
	}
	if a.SameOrClose() < minAgreement || a.MeanDifference > maxDifference {
		return a, fmt.Errorf("%w: the requantized model gives other results: %s", edgelens.ErrModel, a)
	}
	return a, nil
}

// greens converts RGB tensors to gray ones.
func greens(tensors [][]byte) [][]byte {
	for i, rgb := range tensors {
		gray := make([]byte, len(rgb)/3)
		for k := range gray {
			gray[k] = rgb[3*k+1]
		}
		tensors[i] = gray
	}
	return tensors
}
