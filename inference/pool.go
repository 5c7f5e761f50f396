package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/models"
)

// Pool shares the interpreters of one model, one caller at a time each.
//
// An interpreter never leaves the pool: its executor has the caller's function fill
// the input tensor in place, invokes, and copies the output out. Invoke cannot be interrupted, so it runs on a
// goroutine that belongs to the interpreter: a caller whose context ends returns,
// and the interpreter is free when it is done. One that is not done within
// the invoke timeout is quarantined: it never returns to the pool, a new one
// takes its place, and it is freed when (if ever) its Invoke returns.
//
// A Pool is safe for concurrent use.
type Pool struct {
	model  Model
	config PoolConfig
	spec   PoolSpec

	mu sync.Mutex
	// idle is last in, first out, so that a lightly loaded pool keeps to the
	// interpreters whose weights are still in the CPU's caches. While an executor is
	// idle, waiting is empty.
	idle []*executor
	// waiting is first come, first served, but for urgent runs, which are ahead of the
	// others. An executor that is done takes the next run itself: a core never waits for a
	// goroutine to hand it over.
	waiting   []*run
	executors int // alive, idle or running, not quarantined
	stuck     int // quarantined, with their Invoke still running

	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error
	running   sync.WaitGroup // executor goroutines and replacements in progress
}

// PoolConfig sizes a Pool.
type PoolConfig struct {
	// Interpreters is how many run in parallel. At least 1.
	Interpreters int
	// InvokeTimeout is the time after which an interpreter is quarantined.
	InvokeTimeout time.Duration
	// MaxStuck is how many quarantined interpreters are replaced before the
	// pool shrinks instead: each occupies a core and its memory.
	MaxStuck int
}

// PoolSpec describes the interpreters of a pool, which are all alike.
type PoolSpec struct {
	Input      models.TensorSpec
	Output     models.TensorSpec
	Delegation Delegation
	// WarmUp is the raw output of each warm-up run of the first interpreter.
	WarmUp [][]byte
}

// PoolStats counts interpreters by state, and waiting calls.
type PoolStats struct {
	Idle, Busy, Stuck int
	// Waiting counts calls of Run that no interpreter has started yet.
	Waiting int
}

// NewPool builds the interpreters and warms each up, so that the first request
// finds packed weights and allocated buffers. The pool owns model from then
// on, also if NewPool fails.
func NewPool(model Model, config PoolConfig) (*Pool, error) {
	p := &Pool{
		model:   model,
		config:  config,
		closing: make(chan struct{}),
	}
	for n := range config.Interpreters {
		e, warm, err := p.newExecutor()
		if err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), config.InvokeTimeout)
			defer cancel()
			return nil, errors.Join(err, p.Close(ctx))
		}
		if n == 0 {
			p.spec = PoolSpec{Input: e.interpreter.Input(), Output: e.interpreter.Output(), Delegation: e.interpreter.Delegation(), WarmUp: warm}
		}
		p.add(e)
	}
	return p, nil
}

// Spec returns the description of the interpreters.
func (p *Pool) Spec() PoolSpec { return p.spec }

// Stats counts the interpreters by state, and the waiting calls.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Idle: len(p.idle), Busy: p.executors - len(p.idle), Stuck: p.stuck, Waiting: len(p.waiting)}
}

// Run has run.Fill fill the input tensor of the next free interpreter, and runs the
// model. Fill is called at most once, on the thread that then runs the model, and is
// not used any more once Run returns, whatever the reason. Fill must write the whole
// tensor, Spec().Input.Bytes() bytes, which holds what was left of earlier runs. A
// panic in Fill is one in Run.
//
// How many calls wait is not limited here: the caller limits how many there are
// (recognize admits one more than there are interpreters, and one for a device).
//
// The error is Fill's, or wraps ErrDeadline or ErrCanceled when ctx ends first,
// ErrStopping after Close, ErrInference when the interpreter fails or outlives the
// invoke timeout.
func (p *Pool) Run(ctx context.Context, task models.Run) (models.Inference, error) {
	r := &run{
		Run: task, submitted: time.Now(),
		filled: make(chan struct{}),
		done:   make(chan outcome, 2), // the executor's outcome and the timeout's: neither may block
	}
	if err := p.submit(ctx, r); err != nil {
		return models.Inference{}, fmt.Errorf("wait for an interpreter: %w", err)
	}
	select {
	case o := <-r.done:
		return o.get()
	case <-p.closing:
		if p.withdraw(r) {
			return models.Inference{}, fmt.Errorf("wait for an interpreter: %w", edgelens.ErrStopping)
		}
	case <-ctx.Done():
		if p.withdraw(r) {
			return models.Inference{}, fmt.Errorf("wait for an interpreter: %w", contextError(ctx))
		}
	}
	<-r.filled // an executor has it and may still use the caller's data
	select {
	case o := <-r.done:
		return o.get()
	case <-ctx.Done():
		return models.Inference{}, fmt.Errorf("run model: %w", contextError(ctx))
	}
}

// Close waits until every interpreter is done, then frees them and the model.
// If ctx ends first, the running ones are leaked rather than freed during
// an Invoke, and an error is returned. Close is idempotent; a second call
// waits for the first and returns its result.
func (p *Pool) Close(ctx context.Context) error {
	p.closeOnce.Do(func() {
		close(p.closing)
		p.mu.Lock()
		idle := p.idle
		p.idle = nil
		p.executors -= len(idle)
		p.mu.Unlock()
		for _, e := range idle {
			close(e.work)
		}
		done := make(chan struct{})
		go func() {
			p.running.Wait()
			close(done)
		}()
		select {
		case <-done:
			p.closeErr = p.model.Close()
		case <-ctx.Done():
			p.mu.Lock()
			p.closeErr = fmt.Errorf("close the pool: %w: %d interpreters are still running and were left alone", edgelens.ErrDeadline, p.executors+p.stuck)
			p.mu.Unlock()
		}
	})
	return p.closeErr
}

// submit gives r to an idle executor, or queues it for one.
func (p *Pool) submit(ctx context.Context, r *run) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing: // even where an interpreter is free
		return edgelens.ErrStopping
	default:
	}
	last := len(p.idle) - 1
	if last < 0 {
		p.waiting = slices.Insert(p.waiting, p.placeOf(r), r)
		return nil
	}
	e := p.idle[last]
	p.idle = p.idle[:last]
	e.work <- r // never blocks: an idle executor has no work
	return nil
}

// placeOf returns the place of a new run among those that wait.
func (p *Pool) placeOf(r *run) int {
	if !r.Urgent {
		return len(p.waiting)
	}
	place := slices.IndexFunc(p.waiting, func(other *run) bool { return !other.Urgent })
	if place < 0 {
		return len(p.waiting)
	}
	return place
}

// withdraw takes r out of the queue; false if an executor has started it.
func (p *Pool) withdraw(r *run) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, r)
	if i < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	return true
}

// add makes a new executor available.
func (p *Pool) add(e *executor) {
	p.mu.Lock()
	p.executors++
	p.mu.Unlock()
	p.giveBack(e)
}

// giveBack gives an executor the run that waited longest, or makes it idle, or ends
// it when the pool is closing.
func (p *Pool) giveBack(e *executor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
		p.executors--
		close(e.work)
		return
	default:
	}
	if len(p.waiting) == 0 {
		p.idle = append(p.idle, e)
		return
	}
	e.work <- p.waiting[0] // never blocks: the executor has no work
	p.waiting = slices.Delete(p.waiting, 0, 1)
}

// contextError maps the reason why ctx ended to a sentinel.
func contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgelens.ErrDeadline
	}
	return edgelens.ErrCanceled
}
