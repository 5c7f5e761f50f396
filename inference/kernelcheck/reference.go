package kernelcheck

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
)

// reference is what the reference kernels gave for each image.
type reference struct {
	runs   inference.Delegation
	scores scores
}

// runReference runs the model on the reference kernels: TensorFlow Lite's own, or LiteRT's
// own where TensorFlow Lite lacks an operator of it. Its tensors must be those given.
func (c *check) runReference(ctx context.Context, in models.InputSpec, out models.TensorSpec) (*reference, error) {
	r, err := c.runOn(ctx, inference.RuntimeTFLite, in, out)
	var missing *inference.OperatorError
	if errors.As(err, &missing) {
		return c.runOn(ctx, inference.RuntimeLiteRT, in, out)
	}
	return r, err
}

func (c *check) runOn(ctx context.Context, runtime string, in models.InputSpec, out models.TensorSpec) (r *reference, err error) {
	options := inference.Options{Threads: c.config.Inference.Threads, Delegate: inference.DelegateNone, Runtime: runtime, Digest: c.model.Digest}
	if err := c.try(ctx, options); err != nil {
		return nil, err
	}
	model, err := c.config.Backend.Open(c.model.Path, options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	interpreter, err := model.NewInterpreter()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, interpreter.Close()) }()
	r = &reference{runs: interpreter.Delegation()}
	switch i, o := interpreter.Input(), interpreter.Output(); {
	case !ownKernels(r.runs) || r.runs.Runtime != runtime:
		return nil, fmt.Errorf("%w: %s with the delegate %s runs it instead of %s without one", edgelens.ErrModel, r.runs.Runtime, r.runs.Delegate, runtime)
	case !i.HasValuesOf(in.TensorSpec) || !o.HasValuesOf(out):
		return nil, fmt.Errorf("%w: its tensors are others there", edgelens.ErrModel)
	}
	r.scores, err = runInterpreter(ctx, interpreter, in, c.drawn)
	return r, err
}

// try has the file tried with the reference kernels, which may crash on it where the others
// do not.
func (c *check) try(ctx context.Context, options inference.Options) error {
	if c.config.Prober == nil {
		return nil
	}
	pool := c.config.Inference.Pool()
	pool.Interpreters = 1
	return c.config.Prober.Probe(ctx, c.model, options, pool)
}

// runInterpreter returns the scores for each image: one Invoke each, and no other.
func runInterpreter(ctx context.Context, i inference.Interpreter, in models.InputSpec, drawn []drawing) (scores, error) {
	all := make(scores, 0, len(drawn))
	raw := make([]byte, i.Output().Bytes())
	for _, d := range drawn {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: it was interrupted", edgelens.ErrCanceled)
		}
		tensor, err := i.InputTensor()
		if err != nil {
			return nil, err
		}
		d.fill(in, tensor)
		if err := errors.Join(i.Invoke(), i.ReadOutput(raw)); err != nil {
			return nil, err
		}
		row := make([]float32, i.Output().Elements())
		if err := i.Output().Dequantize(row, raw); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}
