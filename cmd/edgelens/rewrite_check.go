package main

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/models"
	"edgelens/models/rewrite"
)

const (
	// checkScenes is how many made-up pictures a rewritten model is tried on.
	checkScenes = 48
	// leastAgreement is for how many of them it must name the original's first
	// class, or one that the original scores as high. Made-up pictures are
	// harder than photographs: no class is far ahead.
	leastAgreement = 0.9
	// mostDifference is how much a score may differ in the mean.
	mostDifference = 0.02
)

// scorer runs one model on one interpreter.
type scorer struct {
	model       inference.Model
	interpreter inference.Interpreter
	output      []byte
	scores      []float32
}

func newScorer(path string, options inference.Options) (*scorer, error) {
	model, err := tflite.New().Open(path, options)
	if err != nil {
		return nil, err
	}
	interpreter, err := model.NewInterpreter()
	if err != nil {
		return nil, errors.Join(err, model.Close())
	}
	out := interpreter.Output()
	return &scorer{model, interpreter, make([]byte, out.Bytes()), make([]float32, out.Elements())}, nil
}

// newTriedScorer is newScorer for a file that may be anything.
func newTriedScorer(ctx context.Context, path string, options inference.Options) (*scorer, error) {
	c := oneInterpreter()
	c.Threads, c.Delegate = options.Threads, options.Delegate
	if err := tryFile(ctx, untold(), path, "", c); err != nil {
		return nil, err
	}
	return newScorer(path, options)
}

// Scores implements rewrite.Scores.
func (s *scorer) Scores(tensor []byte) ([]float32, error) {
	if err := errors.Join(s.interpreter.SetInput(tensor), s.interpreter.Invoke(), s.interpreter.ReadOutput(s.output)); err != nil {
		return nil, err
	}
	return s.scores, s.interpreter.Output().Dequantize(s.scores, s.output)
}

func (s *scorer) Close() error { return errors.Join(s.interpreter.Close(), s.model.Close()) }

// comparison is how a model and the requantized one are run to be compared.
type comparison struct {
	prober inference.Prober
	config inference.Config
}

// compare tries a model and the requantized one on made-up images. The error says
// why the second must not take the place of the first.
func (c comparison) compare(ctx context.Context, original, requantized string) (a rewrite.Agreement, err error) {
	for _, path := range []string{original, requantized} {
		if err := tryFile(ctx, c.prober, path, "", c.config); err != nil {
			return a, err
		}
	}
	options := inference.Options{Threads: c.config.Threads, Delegate: c.config.Delegate}
	first, err := newScorer(original, options)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, first.Close()) }()
	second, err := newScorer(requantized, options)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, second.Close()) }()
	input, err := models.NewInputSpec(first.interpreter.Input(), nil)
	if err != nil {
		return a, err
	}
	if options.Delegate != inference.DelegateNone && second.interpreter.Delegate() != inference.DelegateXNNPACK {
		return a, fmt.Errorf("%w: XNNPACK does not take the requantized model either", edgelens.ErrModel)
	}
	tensors := rewrite.Scenes(input.Width, input.Height, checkScenes)
	if input.Channels == 1 {
		tensors = greens(tensors)
	}
	a, err = rewrite.Compare(ctx, tensors, first.Scores, second.Scores)
	if err != nil {
		return a, fmt.Errorf("%w: compare the models: %w", edgelens.ErrModel, err)
	}
	if a.SameOrClose() < leastAgreement || a.MeanDifference > mostDifference {
		return a, fmt.Errorf("%w: requantized it answers otherwise: %s", edgelens.ErrModel, agreementText(a))
	}
	return a, nil
}

// greens makes gray tensors of RGB ones.
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

func agreementText(a rewrite.Agreement) string {
	return fmt.Sprintf("the same first class, or one scored as high, for %.1f%% of %d made-up pictures; scores differ by %.5f in the mean",
		100*a.SameOrClose(), a.Inputs, a.MeanDifference)
}
