package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"edgelens"
	"edgelens/models"
)

// opened is a model that is ready to run.
type opened struct {
	pool  *Pool
	spec  models.Spec
	check edgelens.KernelCheck
}

// openChecked opens a model in the configured way, or in the fastest of the slower ones whose
// kernels the check does not reject.
func (l *Loader) openChecked(model models.Model) (opened, error) {
	first := l.config.Options(model)
	o, err := l.open(model, first)
	if err != nil {
		return o, err
	}
	if l.checker == nil {
		o.check.Result = edgelens.CheckOff
		return o, nil
	}
	check := l.checker.Start(model)
	var rejected []edgelens.RejectedKernels
	for slower := slowerWays(first); ; {
		o.check = check.Compare(l.preparing, &o.spec, o.pool)
		if o.check.Result != edgelens.CheckFailed {
			o.check.Rejected = rejected
			return o, nil
		}
		rejected = append(rejected, l.reject(model, o))
		if o, slower, err = l.next(model, slower, rejected); err != nil {
			return o, err
		}
	}
}

// open opens a model in one way.
func (l *Loader) open(model models.Model, options Options) (opened, error) {
	pool, err := openPool(l.backend, model.Path, options, l.config.Pool())
	if err != nil {
		return opened{}, err
	}
	spec, err := l.newSpec(model, pool)
	if err != nil {
		return opened{}, errors.Join(err, l.closePool(pool))
	}
	return opened{pool: pool, spec: spec}, nil
}

// slowerWays lists the ways that are slower than the first, or may be, the fastest first.
func slowerWays(first Options) []Options {
	var list []Options
	add := func(runtime, delegate string) {
		o := first
		o.Runtime, o.Delegate, o.Accelerator = runtime, delegate, ""
		list = append(list, o)
	}
	if first.Delegate != DelegateNone {
		add(RuntimeTFLite, DelegateAuto)
		add(RuntimeLiteRT, DelegateAuto)
	}
	add(RuntimeTFLite, DelegateNone)
	add(RuntimeLiteRT, DelegateNone) // for a model that only LiteRT opens
	return list
}

// next opens a model in the first of the slower ways that was not rejected yet and can be
// opened, and returns those after it.
func (l *Loader) next(model models.Model, slower []Options, rejected []edgelens.RejectedKernels) (opened, []Options, error) {
	var errs []error
	for n, options := range slower {
		if wasRejected(rejected, options.Runtime, options.Delegate, "") {
			continue
		}
		o, err := l.openSlower(model, options, rejected)
		if err == nil {
			return o, slower[n+1:], nil
		}
		if !errors.Is(err, ErrNotInstalled) {
			errs = append(errs, err)
		}
	}
	return opened{}, nil, fmt.Errorf("%w: its results are wrong here with every kind of kernels that is installed, as the log describes: %w", edgelens.ErrModel, errors.Join(errs...))
}

// openSlower tries and opens a model in a way other than the configured one.
func (l *Loader) openSlower(model models.Model, options Options, rejected []edgelens.RejectedKernels) (opened, error) {
	if l.prober != nil {
		if err := l.prober.Probe(l.preparing, model, options, l.config.Pool()); err != nil {
			return opened{}, err
		}
	}
	o, err := l.open(model, options)
	if err != nil {
		return opened{}, err
	}
	runs := o.pool.Spec().Delegation
	if wasRejected(rejected, runs.Runtime, runs.Delegate, runs.Accelerator) {
		return opened{}, errors.Join(fmt.Errorf("%w: the kernels that were asked for are those that were rejected", ErrNotInstalled), l.closePool(o.pool))
	}
	return o, nil
}

// wasRejected reports whether kernels were rejected; DelegateAuto stands for XNNPACK.
func wasRejected(rejected []edgelens.RejectedKernels, runtime, delegate, accelerator string) bool {
	if delegate == DelegateAuto {
		delegate = DelegateXNNPACK
	}
	return slices.ContainsFunc(rejected, func(r edgelens.RejectedKernels) bool {
		return r.Runtime == runtime && r.Delegate == delegate && r.Accelerator == accelerator
	})
}

// reject logs and closes what failed the check.
func (l *Loader) reject(model models.Model, o opened) edgelens.RejectedKernels {
	runs := o.pool.Spec().Delegation
	r := edgelens.RejectedKernels{
		Runtime: runs.Runtime, Version: runs.Version, Delegate: runs.Delegate, Accelerator: runs.Accelerator,
		KernelComparison: o.check.KernelComparison, Reason: o.check.Reason, At: o.check.At,
	}
	attributes := []any{"event", "kernel_check_failed", "model", model.Name, "digest", model.Digest, "runtime", r.Runtime, "version", r.Version,
		"delegate", r.Delegate, "accelerator", r.Accelerator, "reason", r.Reason, "against", r.Against, "images", r.Images,
		"clear", r.ClearImages, "other_first_classes", r.OtherFirstClasses}
	if r.Correlation != nil {
		attributes = append(attributes, "correlation", *r.Correlation)
	}
	l.log.Warn("kernels compute wrongly here: the model runs in a slower way", attributes...)
	if err := l.closePool(o.pool); err != nil {
		l.log.Warn("closing rejected interpreters failed", "model", model.Name, "error", err)
	}
	return r
}

func (l *Loader) closePool(pool *Pool) error {
	ctx, cancel := context.WithTimeout(context.Background(), l.config.InvokeTimeout)
	defer cancel()
	return pool.Close(ctx)
}

// Checks returns what is known about the kernels of each loaded model, by name.
func (l *Loader) Checks() map[string]edgelens.KernelCheck {
	checks := map[string]edgelens.KernelCheck{}
	for name, e := range l.ready() {
		checks[name] = e.check
	}
	return checks
}
