package inference

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"edgelens"
	"edgelens/models"
)

// AcceleratedRuns is how many runs an accelerator takes at a time: one that it runs, and
// the next, which waits for it. The processor takes the others.
const AcceleratedRuns = 2

// giveUpTimeout is how long an accelerator that failed may take to end its run before its
// memory is left alone.
const giveUpTimeout = time.Second

// errNotAccelerated means that the processor is to do a run.
var errNotAccelerated = errors.New("not accelerated")

// accelerated is the pool of one model on an accelerator, with a queue of its own. After
// its first failure it takes no more runs until the Loader is made anew.
//
// It is safe for concurrent use.
type accelerated struct {
	name  string // AcceleratorGPU
	model string
	log   *slog.Logger
	// places has one element for each run that it has.
	places chan struct{}
	runs   atomic.Int64

	mu      sync.Mutex
	pool    *Pool // nil while it cannot take runs
	adapter string
	check   edgelens.KernelCheck
	// problem is why it cannot take runs; "" while it is opened.
	problem, reason string
}

func newAccelerated(name, model string, log *slog.Logger) *accelerated {
	return &accelerated{name: name, model: model, log: log, places: make(chan struct{}, AcceleratedRuns)}
}

// openAccelerated tries and opens the model, whose pool on the processor serves meanwhile.
func (l *Loader) openAccelerated(a *accelerated, e *entry) {
	pool, check, err := l.acceleratedPool(a.name, e)
	if err != nil {
		a.setProblem(err)
		return
	}
	runs := pool.Spec().Delegation
	a.mu.Lock()
	a.pool, a.check, a.adapter = pool, check, runs.Adapter
	a.mu.Unlock()
	l.log.Info("model loaded on an accelerator", "model", a.model, "accelerator", a.name, "adapter", runs.Adapter, "checked", string(check.Result))
}

// acceleratedPool returns the pool if its tensors are those of the processor's and its
// answers agree with the reference.
func (l *Loader) acceleratedPool(name string, e *entry) (*Pool, edgelens.KernelCheck, error) {
	options := l.config.Options(e.spec.Model)
	options.Runtime, options.Accelerator = RuntimeLiteRT, name
	size := PoolConfig{Interpreters: 1, InvokeTimeout: l.config.InvokeTimeout} // one that hangs is not replaced
	if l.prober != nil {
		if err := l.prober.Probe(l.preparing, e.spec.Model, options, size); err != nil {
			return nil, edgelens.KernelCheck{}, err
		}
	}
	pool, err := openPool(l.backend, e.spec.Path, options, size)
	if err != nil {
		return nil, edgelens.KernelCheck{}, err
	}
	check, err := l.checkAccelerated(e, pool)
	if err != nil {
		return nil, check, errors.Join(err, l.closePool(pool))
	}
	return pool, check, nil
}

func (l *Loader) checkAccelerated(e *entry, pool *Pool) (edgelens.KernelCheck, error) {
	facts := pool.Spec()
	if !facts.Input.HasValuesOf(e.spec.Input.TensorSpec) || !facts.Output.HasValuesOf(e.spec.Output) {
		return edgelens.KernelCheck{}, fmt.Errorf("%w: its tensors are others there", edgelens.ErrModel)
	}
	check := edgelens.KernelCheck{Result: edgelens.CheckOff}
	if l.checker != nil {
		check = l.checker.Start(e.spec.Model).Compare(l.preparing, &e.spec, pool)
	}
	if check.Result != edgelens.CheckPassed && check.Result != edgelens.CheckOff {
		return check, &AcceleratorError{Accelerator: pool.Spec().Delegation.Accelerator, Reason: AcceleratorWrongResults,
			Err: fmt.Errorf("%w: its results there are not known to be right: %s", edgelens.ErrModel, check.Reason)}
	}
	return check, nil
}

// setProblem logs why the accelerator is not used, and returns the pool that it had.
func (a *accelerated) setProblem(err error) *Pool {
	reason, detail := AcceleratorUnsupported, ""
	var known *AcceleratorError
	var words *RuntimeError
	switch {
	case errors.As(err, &known):
		reason, detail = known.Reason, known.Detail
	case errors.As(err, &words):
		detail = words.Detail
	case errors.Is(err, edgelens.ErrInference):
		reason = AcceleratorRunFailed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.problem != "" {
		return nil // another run was first
	}
	a.problem, a.reason = err.Error(), reason
	a.log.Warn("accelerator not used, the processor runs the model", "event", "accelerator_not_used", "model", a.model, "accelerator", a.name,
		"reason", reason, "error", err, "runtime", detail)
	pool := a.pool
	a.pool = nil
	return pool
}

// run runs on the accelerator. The error is errNotAccelerated where the processor is to do
// it: the accelerator has enough to do, is not there, or failed just now. Then run has a Fill
// that may be called.
func (a *accelerated) run(ctx context.Context, run *models.Run) (models.Inference, error) {
	a.mu.Lock()
	pool := a.pool
	a.mu.Unlock()
	if pool == nil {
		return models.Inference{}, errNotAccelerated
	}
	select {
	case a.places <- struct{}{}:
		defer func() { <-a.places }()
	default:
		return models.Inference{}, errNotAccelerated
	}
	kept := keeper{fill: run.Fill}
	inferred, err := pool.Run(ctx, models.Run{Fill: kept.fillAndKeep, Background: run.Background, Urgent: run.Urgent})
	switch {
	case err == nil:
		a.runs.Add(1)
		inferred.Accelerator = a.name
		return inferred, nil
	case kept.err != nil, ctx.Err() != nil: // not the accelerator's failure
		return inferred, err
	case errors.Is(err, edgelens.ErrStopping): // it failed, or the Loader is closing
	default:
		a.giveUp(err)
	}
	if kept.isFilled {
		run.Fill = kept.fillAgain
	}
	return models.Inference{}, errNotAccelerated
}

// giveUp ends the use of the accelerator. Runs that wait for it are the processor's.
func (a *accelerated) giveUp(err error) {
	if pool := a.setProblem(err); pool != nil {
		a.closePool(pool, giveUpTimeout)
	}
}

func (a *accelerated) closePool(pool *Pool, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := pool.Close(ctx); err != nil {
		a.log.Warn("closing an accelerator failed", "model", a.model, "accelerator", a.name, "error", err)
	}
}

// close closes the pool, if there is one.
func (a *accelerated) close(timeout time.Duration) {
	a.mu.Lock()
	pool := a.pool
	a.pool = nil
	a.mu.Unlock()
	if pool != nil {
		a.closePool(pool, timeout)
	}
}

// describe describes it for the API.
func (a *accelerated) describe() edgelens.ModelAccelerator {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := edgelens.ModelAccelerator{Name: a.name, Adapter: a.adapter, State: edgelens.AcceleratorLoading, Problem: a.problem, Reason: a.reason, Runs: a.runs.Load()}
	switch {
	case a.problem != "":
		d.State = edgelens.AcceleratorOff
	case a.pool != nil:
		check := a.check
		d.State, d.Checked = edgelens.AcceleratorReady, &check
	}
	return d
}

// keeper keeps what Fill has written, for another interpreter: Fill is called once.
type keeper struct {
	fill     models.Fill
	tensor   []byte
	filled   models.Filled
	err      error
	isFilled bool
}

func (k *keeper) fillAndKeep(tensor []byte) (models.Filled, error) {
	k.filled, k.err = k.fill(tensor)
	if k.err == nil {
		k.tensor, k.isFilled = slices.Clone(tensor), true
	}
	return k.filled, k.err
}

func (k *keeper) fillAgain(tensor []byte) (models.Filled, error) {
	copy(tensor, k.tensor)
	return k.filled, nil
}

// Accelerators describes the accelerators of each loaded model, by its name.
func (l *Loader) Accelerators() map[string][]edgelens.ModelAccelerator {
	all := map[string][]edgelens.ModelAccelerator{}
	for name, e := range l.ready() {
		for _, a := range e.accelerated {
			all[name] = append(all[name], a.describe())
		}
	}
	return all
}
