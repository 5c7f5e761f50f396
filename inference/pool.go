package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/background"
	"edgelens/models"
)

// Pool lends the interpreters of one model, one caller at a time each.
//
// A lease never leaves the pool: Run has the interpreter's lane make the tensor,
// invoke and copy the output out. Invoke cannot be interrupted, so it runs on a
// goroutine that belongs to the interpreter: a caller whose context ends leaves,
// and the interpreter comes back when it is done. One that is not done within
// the invoke timeout is quarantined: it never returns to the pool, a new one
// takes its place, and it is freed when (if ever) its Invoke comes back.
//
// A Pool is safe for use by many goroutines.
type Pool struct {
	model  Model
	config PoolConfig
	spec   PoolSpec

	mu sync.Mutex
	// idle is last in, first out, so that a lightly loaded pool keeps to the
	// interpreters whose weights are still in the CPU's caches. Where a lane is
	// idle, nothing waits.
	idle []*executor
	// waiting is first come, first served. A lane that is done takes the next
	// itself: a core never waits for a goroutine to hand it over.
	waiting   []*run
	executors int // alive, idle or running, not quarantined
	stuck     int // quarantined and not back yet

	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error
	running   sync.WaitGroup // executor goroutines and replacements under way
}

// PoolConfig sizes a Pool.
type PoolConfig struct {
	// Interpreters is how many run side by side. At least 1.
	Interpreters int
	// InvokeTimeout is after how long an interpreter is quarantined.
	InvokeTimeout time.Duration
	// MaxStuck is how many quarantined interpreters are replaced before the
	// pool shrinks instead: each holds a core and its memory.
	MaxStuck int
}

// PoolSpec is what the interpreters of a pool have in common.
type PoolSpec struct {
	Input    models.TensorSpec
	Output   models.TensorSpec
	Delegate string
	// WarmUp is the raw output of each warm-up run of the first interpreter.
	WarmUp [][]byte
}

// PoolStats counts interpreters by state, and who waits for one.
type PoolStats struct {
	Idle, Busy, Stuck int
	// Waiting counts calls of Run that no interpreter has taken yet.
	Waiting int
}

// NewPool builds the interpreters and warms each up, so that the first request
// meets packed weights and allocated buffers. The pool owns model from here
// on, also when NewPool fails.
func NewPool(model Model, config PoolConfig) (*Pool, error) {
	p := &Pool{
		model:   model,
		config:  config,
		closing: make(chan struct{}),
	}
	for n := range config.Interpreters {
		l, warm, err := p.newExecutor()
		if err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), config.InvokeTimeout)
			defer cancel()
			return nil, errors.Join(err, p.Close(ctx))
		}
		if n == 0 {
			p.spec = PoolSpec{Input: l.interpreter.Input(), Output: l.interpreter.Output(), Delegate: l.interpreter.Delegate(), WarmUp: warm}
		}
		p.add(l)
	}
	return p, nil
}

// Spec returns what the interpreters have in common.
func (p *Pool) Spec() PoolSpec { return p.spec }

// Stats counts the interpreters by state, and who waits for one.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Idle: len(p.idle), Busy: p.executors - len(p.idle), Stuck: p.stuck, Waiting: len(p.waiting)}
}

// Run gives what fill returns to the next free interpreter, and returns the raw
// bytes of the output tensor. fill is called at most once, on the thread that the
// model then runs on; what it returns must be Spec().Input.Bytes() long. Neither
// fill nor its tensor is used any more once Run returns, whatever the reason. Where
// ctx is in the background (background.With), both run there. A panic in fill
// is one in Run.
//
// The error is fill's, or wraps ErrInvalid for a wrong length, ErrDeadline or
// ErrCanceled when ctx ends first, ErrStopping after Close, ErrInference when the
// interpreter fails or outlives the invoke timeout.
func (p *Pool) Run(ctx context.Context, fill func() ([]byte, error)) ([]byte, error) {
	r := &run{
		fill: fill, background: background.Is(ctx),
		filled: make(chan struct{}),
		done:   make(chan outcome, 2), // the lane's answer and the watchdog's: neither may block
	}
	if err := p.submit(ctx, r); err != nil {
		return nil, fmt.Errorf("wait for an interpreter: %w", err)
	}
	select {
	case o := <-r.done:
		return o.get()
	case <-p.closing:
		if p.withdraw(r) {
			return nil, fmt.Errorf("wait for an interpreter: %w", edgelens.ErrStopping)
		}
	case <-ctx.Done():
		if p.withdraw(r) {
			return nil, fmt.Errorf("wait for an interpreter: %w", contextError(ctx))
		}
	}
	<-r.filled // a lane has it: what fill uses is the caller's
	select {
	case o := <-r.done:
		return o.get()
	case <-ctx.Done():
		return nil, fmt.Errorf("run model: %w", contextError(ctx))
	}
}

// Close waits until every interpreter is back, then frees them and the model.
// When ctx ends first, what is still lent is leaked rather than freed under a
// running Invoke, and the error says so. Close is idempotent; a second call
// waits for the first and returns its result.
func (p *Pool) Close(ctx context.Context) error {
	p.closeOnce.Do(func() {
		close(p.closing)
		p.mu.Lock()
		idle := p.idle
		p.idle = nil
		p.executors -= len(idle)
		p.mu.Unlock()
		for _, l := range idle {
			close(l.work)
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

// submit gives r to a lane that is idle, or lets it wait for one.
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
		p.waiting = append(p.waiting, r)
		return nil
	}
	l := p.idle[last]
	p.idle = p.idle[:last]
	l.work <- r // never blocks: an idle lane has nothing in it
	return nil
}

// withdraw takes back what still waits; false where a lane has taken it.
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

// add makes a new lane available.
func (p *Pool) add(l *executor) {
	p.mu.Lock()
	p.executors++
	p.mu.Unlock()
	p.giveBack(l)
}

// giveBack gives a lane what has waited longest, or makes it available, or ends
// it when the pool is closing.
func (p *Pool) giveBack(l *executor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
		p.executors--
		close(l.work)
		return
	default:
	}
	if len(p.waiting) == 0 {
		p.idle = append(p.idle, l)
		return
	}
	l.work <- p.waiting[0] // never blocks: the lane has nothing in it
	p.waiting = slices.Delete(p.waiting, 0, 1)
}

// contextError names why ctx ended in this module's words.
func contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgelens.ErrDeadline
	}
	return edgelens.ErrCanceled
}
