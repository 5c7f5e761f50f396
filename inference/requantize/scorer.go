package requantize

import (
	"context"
	"errors"
	"path/filepath"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
)

// Scorer runs one model on one interpreter. It is not safe for concurrent use; Close
// frees the model's memory.
type Scorer struct {
	// Interpreter runs the model; the Scorer closes it.
	Interpreter inference.Interpreter
	model       inference.Model
	output      []byte
	scores      []float32
}

// NewScorer opens a model file that is known to be safe.
func NewScorer(backend inference.Backend, path string, options inference.Options) (*Scorer, error) {
	model, err := backend.Open(path, options)
	if err != nil {
		return nil, err
	}
	interpreter, err := model.NewInterpreter()
	if err != nil {
		return nil, errors.Join(err, model.Close())
	}
	out := interpreter.Output()
	return &Scorer{interpreter, model, make([]byte, out.Bytes()), make([]float32, out.Elements())}, nil
}

// TryFile has prober try a model file; with a nil prober it returns nil. An empty digest
// stands for that of the file.
func TryFile(ctx context.Context, prober inference.Prober, path, digest string, c inference.Config) error {
	if prober == nil {
		return nil
	}
	model := models.Model{ModelRef: edgelens.ModelRef{Name: filepath.Base(path), Digest: digest}, Path: path}
	return prober.Probe(ctx, model, c.Options(model), c.Pool())
}

// Scores returns the scores for an input tensor, dequantized; they are valid until the
// next call. It implements rewrite.Scores.
func (s *Scorer) Scores(tensor []byte) ([]float32, error) {
	if err := errors.Join(inference.SetInput(s.Interpreter, tensor), s.Interpreter.Invoke(), s.Interpreter.ReadOutput(s.output)); err != nil {
		return nil, err
	}
	return s.scores, s.Interpreter.Output().Dequantize(s.scores, s.output)
}

// Close frees the interpreter and the model.
func (s *Scorer) Close() error { return errors.Join(s.Interpreter.Close(), s.model.Close()) }
