package inference

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"edgelens"
	"edgelens/models"
)

// A Prober tries a model file in isolation before this process opens it: a crafted or
// damaged graph may crash the C code and with it the process, whatever was checked
// before. inference/probe is one.
//
// Implementations are safe for concurrent use.
type Prober interface {
	// Probe returns nil if the model may be opened with options, in a pool of that size.
	// The error wraps ErrModel if the model is unusable, and another sentinel if it could
	// not be tried now: then it may be retried.
	Probe(ctx context.Context, model models.Model, options Options, config PoolConfig) error
}

// extraInputs is how many inputs beyond those of the warm-up Try gives to each
// interpreter.
const extraInputs = 4

// Try opens a model file as a Loader does, in a pool of that size, and runs it on
// noise and on the lowest and highest values that its input takes, on all
// interpreters at a time. The error wraps edgelens.ErrModel, ErrDeadline or
// ErrCanceled.
func Try(ctx context.Context, backend Backend, path string, options Options, config PoolConfig) error {
	pool, err := openPool(backend, path, options, config)
	if err != nil {
		return err
	}
	tryErr := tryInputs(ctx, pool, config.Interpreters)
	closing, cancel := context.WithTimeout(context.Background(), config.InvokeTimeout)
	defer cancel()
	if err := pool.Close(closing); tryErr == nil && err != nil {
		return fmt.Errorf("%w: it did not end its trial run: %w", edgelens.ErrModel, err)
	}
	return tryErr
}

func tryInputs(ctx context.Context, pool *Pool, interpreters int) error {
	input := pool.Spec().Input
	errs := make([]error, interpreters)
	var runs sync.WaitGroup
	for n := range interpreters {
		runs.Go(func() {
			noise := rand.New(rand.NewPCG(uint64(n), 3)) // the same in every trial
			for i := range extraInputs {
				run := synthetic(func(tensor []byte) {
					switch i {
					case 0, 1:
						fillConstant(tensor, input.DType, i == 1)
					default:
						fillNoise(tensor, input.DType, noise)
					}
				})
				if _, err := pool.Run(ctx, run); err != nil {
					errs[n] = err
					return
				}
			}
		})
	}
	runs.Wait()
	for _, err := range errs {
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		return &RuntimeError{Sentence: "it fails on an image of noise", Detail: err.Error()}
	}
	return nil
}

// synthetic is a run on values that no image gave.
func synthetic(fill func(tensor []byte)) models.Run {
	return models.Run{Fill: func(tensor []byte) (models.Filled, error) {
		fill(tensor)
		return models.Filled{}, nil
	}}
}

// fillConstant fills a tensor with the lowest or the highest value of an image.
func fillConstant(tensor []byte, dtype models.DType, highest bool) {
	switch {
	case dtype == models.Float32:
		v := float32(-1)
		if highest {
			v = 1
		}
		for i := 0; i+4 <= len(tensor); i += 4 {
			models.PutFloat32(tensor[i:], v)
		}
	default:
		q := byte(0)
		if dtype == models.Int8 {
			q = 0x80
		}
		if highest {
			q--
		}
		for i := range tensor {
			tensor[i] = q
		}
	}
}
