package inference

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"edgelens"
	"edgelens/models"
)

// Pool lends the interpreters of one model, one caller at a time each.
//
// A lease never leaves the pool: Run takes an interpreter, copies the tensor
// in, invokes, copies the output out and gives the interpreter back. Invoke
// cannot be interrupted, so it runs on a goroutine that belongs to the
// interpreter: a caller whose context ends leaves at once, the interpreter
// comes back when it is done. One that is not done within the invoke timeout
// is quarantined: it never returns to the pool, a new one takes its place, and
// it is freed when (if ever) its Invoke comes back.
//
// A Pool is safe for use by many goroutines.
type Pool struct {
	model  Model
	config PoolConfig
	spec   PoolSpec

	// idle holds a token for each lane on the stack. The stack is last in,
	// first out, so that a lightly loaded pool keeps to the interpreters
	// whose weights are still in the CPU's caches.
	idle chan struct{}

	mu    sync.Mutex
	stack []*lane
	lanes int // alive, idle or running, not quarantined
	stuck int // quarantined and not back yet

	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error
	running   sync.WaitGroup // lane goroutines and replacements under way
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

// PoolStats counts interpreters by state.
type PoolStats struct {
	Idle, Busy, Stuck int
}

// NewPool builds the interpreters and warms each up, so that the first request
// meets packed weights and allocated buffers. The pool owns model from here
// on, also when NewPool fails.
func NewPool(model Model, config PoolConfig) (*Pool, error) {
	p := &Pool{
		model:   model,
		config:  config,
		idle:    make(chan struct{}, config.Interpreters),
		closing: make(chan struct{}),
	}
	for n := range config.Interpreters {
		l, warm, err := p.newLane()
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

// Stats counts the interpreters by state.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Idle: len(p.stack), Busy: p.lanes - len(p.stack), Stuck: p.stuck}
}

// Run gives tensor to the next free interpreter and returns the raw bytes of
// the output tensor. tensor must be Spec().Input.Bytes() long; it is not used
// any more once Run returns, whatever the reason. Where ctx is in the background
// (edgelens.InBackground), the model runs there.
//
// The error wraps ErrInvalid for a wrong length, ErrDeadline or ErrCanceled
// when ctx ends first, ErrStopping after Close, ErrInference when the
// interpreter fails or outlives the invoke timeout.
func (p *Pool) Run(ctx context.Context, tensor []byte) ([]byte, error) {
	if want := p.spec.Input.Bytes(); len(tensor) != want {
		return nil, fmt.Errorf("run model: %w: the tensor has %d bytes, not %d", edgelens.ErrInvalid, len(tensor), want)
	}
	l, err := p.lease(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for an interpreter: %w", err)
	}
	// Copied in here and not on the lane's goroutine: the caller may leave,
	// and take its buffer along, while the lane still works.
	if err := l.interpreter.SetInput(tensor); err != nil {
		p.giveBack(l)
		return nil, fmt.Errorf("fill the input tensor: %w", err)
	}
	done := make(chan outcome, 2) // the lane's answer and the watchdog's: neither may block
	l.work <- run{done, edgelens.IsInBackground(ctx)}
	select {
	case o := <-done:
		return o.output, o.err
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
		stack := p.stack
		p.stack = nil
		p.lanes -= len(stack)
		p.mu.Unlock()
		for _, l := range stack {
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
			p.closeErr = fmt.Errorf("close the pool: %w: %d interpreters are still running and were left alone", edgelens.ErrDeadline, p.lanes+p.stuck)
			p.mu.Unlock()
		}
	})
	return p.closeErr
}

func (p *Pool) lease(ctx context.Context) (*lane, error) {
	select {
	case <-p.closing: // even where an interpreter is free
		return nil, edgelens.ErrStopping
	default:
	}
	select {
	case <-p.idle:
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.stack) == 0 { // closed between the token and the lock
			return nil, edgelens.ErrStopping
		}
		l := p.stack[len(p.stack)-1]
		p.stack = p.stack[:len(p.stack)-1]
		return l, nil
	case <-p.closing:
		return nil, edgelens.ErrStopping
	case <-ctx.Done():
		return nil, contextError(ctx)
	}
}

// add makes a new lane available.
func (p *Pool) add(l *lane) {
	p.mu.Lock()
	p.lanes++
	p.mu.Unlock()
	p.giveBack(l)
}

// giveBack makes a lane available again, or ends it when the pool is closing.
func (p *Pool) giveBack(l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
		p.lanes--
		close(l.work)
	default:
		p.stack = append(p.stack, l)
		p.idle <- struct{}{} // never blocks: its capacity is the number of lanes
	}
}

// contextError names why ctx ended in this module's words.
func contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgelens.ErrDeadline
	}
	return edgelens.ErrCanceled
}
