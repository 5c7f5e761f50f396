// Package train trains heads on the embeddings of a dataset, in seconds on two cores, and measures them on examples that they
// were not trained on.
//
// What is reported is cross-validated: the examples are split into folds with the labels in the same proportions; for each fold
// a head is trained on the others and asked for its answers. The weight decay of Softmax is chosen within these others, so that
// no held-out example takes part in a decision about its own head. The head that is returned is trained on all examples.
package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"edgelens"
	"edgelens/learn/head"
	"edgelens/learn/softmax"
)

// Options are how a head is trained.
type Options struct {
	// Name is that of the head.
	Name string
	// Extractor and View are how the embeddings of all examples were made.
	Extractor edgelens.ModelRef
	View      edgelens.View
	// Method is head.Imprinting or head.Softmax, which is that of "".
	Method string
	// Seed decides which examples are in which fold: the same gives the same head.
	Seed uint64
	// Threshold is the probability below which an image is head.Unknown, 0 for never; nil for the one that keeps Kept of the
	// right answers that were held out.
	Threshold *float64
	// Workers is how many folds are computed at once; 0 for as many as there are processors.
	Workers int
	// Now is the time of the head; zero for the present.
	Now time.Time
}

// The bounds of what a head is trained on.
const (
	// MinExamples is how many examples each label needs: one to train on, one to choose by, one to measure with.
	MinExamples = 3
	// MaxExamples bounds the time that a training takes.
	MaxExamples = 20000
)

// Kept is the share of right held-out answers that a threshold keeps where none is given.
const Kept = 0.95

// maxFolds is the usual number of folds; labels with fewer examples have fewer.
const maxFolds = 5

// Progress is called with the steps done, of how many, by one goroutine at a time. It must return soon.
type Progress func(done, total int)

// Run trains a head, whose Version is left 0 for the store to set, and reports how well it answers. The same examples
// and options give the same head, but for its time. progress may be nil.
//
// The error wraps edgelens.ErrInvalid for examples or options that cannot be used, and edgelens.ErrCanceled or ErrDeadline where
// ctx ended.
func Run(ctx context.Context, examples []edgelens.Example, o Options, progress Progress) (*head.Head, *edgelens.TrainingReport, error) {
	started := time.Now()
	o.Method = cmp.Or(o.Method, head.Softmax)
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	labels, data, err := dataOf(examples, o.Extractor)
	if err != nil {
		return nil, nil, err
	}
	m := methodOf(o.Method)
	folds := split(data.Classes, len(labels), o.Seed)
	steps := newSteps(len(folds)*m.fits()+1, progress)
	answers, l2, err := crossValidate(ctx, data, len(labels), folds, m, cmp.Or(o.Workers, runtime.GOMAXPROCS(0)), steps)
	if err != nil {
		return nil, nil, ended(err)
	}
	params, err := m.fit(ctx, data, softmax.New(len(labels), len(data.Features[0])), l2)
	if err != nil {
		return nil, nil, ended(err)
	}
	steps.done()
	h := &head.Head{
		Name: o.Name, Extractor: o.Extractor, View: o.View, Labels: labels, Params: params, Scale: scaleOf(answers), Method: o.Method,
		Examples: data.Len(), CreatedAt: cmp.Or(o.Now, time.Now()).UTC().Truncate(time.Second),
	}
	report := measure(answers, folds, labels, o.Threshold)
	h.Threshold = report.Threshold
	report.Method, report.L2, report.Took = o.Method, l2, time.Since(started)
	return h, report, nil
}

func (o *Options) check() error {
	if err := head.CheckName(o.Name); err != nil {
		return err
	}
	if o.Method != head.Imprinting && o.Method != head.Softmax {
		return fmt.Errorf("%w: %.40q is no method to train a head by; use %s or %s", edgelens.ErrInvalid, o.Method, head.Softmax, head.Imprinting)
	}
	if t := o.Threshold; t != nil && !(*t >= 0 && *t < 1) { // NaN too
		return fmt.Errorf("%w: the threshold %v is not at least 0 and below 1", edgelens.ErrInvalid, *t)
	}
	return nil
}

// ended names why a training was given up.
func ended(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("train a head: %w", edgelens.ErrDeadline)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("train a head: %w", edgelens.ErrCanceled)
	}
	return err
}

// crossValidate returns the logits of each example by a head that was not trained on it, and the weight decay that is best for
// the examples that were held out to choose it.
func crossValidate(ctx context.Context, data softmax.Data, classes int, folds [][]int, m method, workers int, steps *steps) ([]answer, float64, error) {
	answers := make([]answer, data.Len())
	losses := make([][]float64, len(folds)) // of each fold, by weight decay
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, workers))
	for i, held := range folds {
		group.Go(func() error {
			chosen := folds[(i+1)%len(folds)]
			var rest []int
			for j, fold := range folds {
				if j != i && j != (i+1)%len(folds) {
					rest = append(rest, fold...)
				}
			}
			start := softmax.New(classes, len(data.Features[0]))
			var err error
			if losses[i], err = validationLosses(ctx, data.At(rest), data.At(chosen), start, m, steps); err != nil {
				return err
			}
			params, err := m.fit(ctx, data.At(append(rest, chosen...)), start, m.decays[smallest(losses[i])])
			if err != nil {
				return err
			}
			for _, n := range held {
				answers[n] = answer{logits: make([]float64, classes), class: data.Classes[n]}
				params.Logits(data.Features[n], answers[n].logits)
			}
			steps.done()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, 0, err
	}
	sums := make([]float64, len(m.decays))
	for _, fold := range losses {
		for i, loss := range fold {
			sums[i] += loss
		}
	}
	return answers, m.decays[smallest(sums)], nil
}

// validationLosses returns, for each weight decay, the sum of the losses of held by a head trained on data: each from the
// parameters of the one before, and the first from start, which it changes. A method with one needs no choice.
func validationLosses(ctx context.Context, data, held softmax.Data, start softmax.Params, m method, steps *steps) ([]float64, error) {
	losses := make([]float64, len(m.decays))
	if len(m.decays) == 1 {
		return losses, nil
	}
	scores := make([]float64, start.Classes)
	for i, l2 := range m.decays {
		params, err := m.fit(ctx, data, start, l2)
		if err != nil {
			return nil, err
		}
		for n, x := range held.Features {
			params.Logits(x, scores)
			softmax.Probabilities(scores)
			losses[i] -= math.Log(max(scores[held.Classes[n]], math.SmallestNonzeroFloat64))
		}
		steps.done()
	}
	return losses, nil
}

// smallest returns the number of the smallest value, the first of several.
func smallest(values []float64) int {
	best := 0
	for i, v := range values {
		if v < values[best] {
			best = i
		}
	}
	return best
}

// steps counts what is done, for a progress bar. It is safe for concurrent use.
type steps struct {
	mu          sync.Mutex
	made, total int
	progress    Progress
}

func newSteps(total int, progress Progress) *steps {
	if progress == nil {
		progress = func(int, int) {}
	}
	return &steps{total: total, progress: progress}
}

func (s *steps) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	s.progress(s.made, s.total)
}
