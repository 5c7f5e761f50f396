package kernelcheck

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
)

// Config configures a Checker.
type Config struct {
	// Backend opens the reference kernels.
	Backend inference.Backend
	// Prober tries a file with the reference kernels first; nil if no file needs it.
	Prober inference.Prober
	// Inference has the threads and the timeout.
	Inference inference.Config
	// Dir keeps the verdicts; it is created when the first is stored. "" keeps none.
	Dir string
	// LibraryDigest returns the digest of the library of a runtime that is loaded.
	LibraryDigest func(runtime string) (string, error)
	// Processor returns what identifies the processor and its features; Processor of this
	// package for the present one.
	Processor func() (string, error)
	Log       *slog.Logger
}

// Checker implements inference.Checker. It is safe for concurrent use.
type Checker struct {
	config Config
	store  store
}

// New returns a Checker.
func New(config Config) *Checker {
	return &Checker{config: config, store: store{dir: config.Dir, log: config.Log}}
}

// Start implements inference.Checker.
func (c *Checker) Start(model models.Model) inference.Check {
	return &check{Checker: c, model: model}
}

// check is that of one model.
type check struct {
	*Checker
	model models.Model
	// reference is run once, however many kinds of kernels are compared with it.
	reference *reference
	drawn     []drawing
}

// Compare implements inference.Check.
func (c *check) Compare(ctx context.Context, spec *models.Spec, pool *inference.Pool) edgelens.KernelCheck {
	runs := pool.Spec().Delegation
	if runs.Runtime == inference.RuntimeTFLite && ownKernels(runs) {
		return edgelens.KernelCheck{Result: edgelens.CheckReference}
	}
	key, keyErr := c.key(runs)
	if keyErr == nil {
		if known, ok := c.store.load(key); ok {
			return known
		}
	}
	start := time.Now()
	verdict := c.run(ctx, spec, pool)
	if verdict.Result == edgelens.CheckReference || verdict.At.IsZero() {
		return verdict
	}
	c.config.Log.Info("kernels compared with the reference", "model", c.model.Name, "runtime", runs.Runtime, "delegate", runs.Delegate,
		"result", string(verdict.Result), "clear", verdict.ClearImages, "other_first_classes", verdict.OtherFirstClasses, "ms", time.Since(start))
	if keyErr == nil {
		keyErr = c.store.save(key, verdict)
	}
	if keyErr != nil {
		c.config.Log.Warn("the check of the kernels is not stored: the next start repeats it", "event", "kernel_check_not_stored", "model", c.model.Name, "reason", keyErr)
	}
	return verdict
}

// ownKernels reports whether the kernels of the runtime itself run a graph.
func ownKernels(d inference.Delegation) bool {
	return d.Delegate == inference.DelegateNone && d.Accelerator == ""
}

// run compares pool with the reference. The result's At is zero where that was not possible.
func (c *check) run(ctx context.Context, spec *models.Spec, pool *inference.Pool) edgelens.KernelCheck {
	if c.reference == nil {
		c.drawn = drawings(spec.Input)
		reference, err := c.runReference(ctx, spec.Input, spec.Output)
		if err != nil {
			return unknown("the reference kernels cannot run it: " + err.Error())
		}
		c.reference = reference
	}
	against := c.reference.runs
	if runs := pool.Spec().Delegation; runs.Runtime == against.Runtime && ownKernels(runs) {
		return edgelens.KernelCheck{Result: edgelens.CheckReference} // of a model that this runtime alone opens
	}
	got, err := runPool(ctx, spec, pool, c.drawn)
	if ctx.Err() != nil {
		return unknown("the check was interrupted")
	}
	var verdict edgelens.KernelCheck
	if err != nil {
		verdict.Result, verdict.Reason = edgelens.CheckFailed, "it fails on a generated image: "+err.Error()
	} else if spec.Task == edgelens.TaskEmbedding {
		verdict.KernelComparison, verdict.Result, verdict.Reason = compareFeatures(c.reference.scores, got, spec.Output.Scale)
	} else {
		verdict.KernelComparison, verdict.Result, verdict.Reason = compare(c.reference.scores, got, spec.Output.Scale)
	}
	verdict.Against = fmt.Sprintf("%s %s without a delegate", against.Runtime, against.Version)
	verdict.At = time.Now().UTC().Truncate(time.Second)
	return verdict
}

func unknown(reason string) edgelens.KernelCheck {
	return edgelens.KernelCheck{Result: edgelens.CheckUnknown, Reason: reason}
}

// runPool returns the scores of a pool for each image.
func runPool(ctx context.Context, spec *models.Spec, pool *inference.Pool, drawn []drawing) (scores, error) {
	all := make(scores, 0, len(drawn))
	for _, d := range drawn {
		done, err := pool.Run(ctx, models.Run{Fill: func(tensor []byte) (models.Filled, error) {
			d.fill(spec.Input, tensor)
			return models.Filled{}, nil
		}})
		if err != nil {
			return nil, err
		}
		row := make([]float32, spec.Output.Elements())
		if err := spec.Output.Dequantize(row, done.Output); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}
