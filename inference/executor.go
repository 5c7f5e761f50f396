package inference

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/background"
	"edgelens/models"
)

// An executor is one interpreter and the goroutine that runs it, on one OS thread. It
// owns the interpreter and frees it when its work channel is closed.
type executor struct {
	pool        *Pool
	interpreter Interpreter
	watchdog    *time.Timer
	// work takes one run at a time. It is empty for an idle executor.
	work chan *run

	mu sync.Mutex
	// current receives the outcome of the Invoke in progress; nil between two.
	current chan<- outcome
	started time.Time
	// quarantined is set once, by the watchdog.
	quarantined bool
}

// run is a models.Run on its way through the pool.
type run struct {
	models.Run
	submitted time.Time
	// filled is closed once Fill is not used any more.
	filled chan struct{}
	done   chan outcome
}

type outcome struct {
	inference models.Inference
	err       error
	// panicked is what Fill panicked with, with its stack.
	panicked any
}

func (o outcome) get() (models.Inference, error) {
	if o.panicked != nil {
		panic(o.panicked)
	}
	return o.inference, o.err
}

// newExecutor builds and warms up an interpreter and starts its goroutine.
func (p *Pool) newExecutor() (*executor, [][]byte, error) {
	interpreter, err := p.model.NewInterpreter()
	if err != nil {
		return nil, nil, err
	}
	warm, err := warmUp(interpreter)
	if err != nil {
		_ = interpreter.Close() // the first error is more specific
		return nil, nil, &RuntimeError{Sentence: "it fails on an image of noise", Detail: err.Error()}
	}
	e := &executor{pool: p, interpreter: interpreter, work: make(chan *run, 1)}
	e.watchdog = time.AfterFunc(time.Hour, e.onInvokeTimeout)
	e.watchdog.Stop()
	p.running.Add(1)
	go e.serve()
	return e, warm, nil
}

// serve executes runs until its work channel is closed or the executor is
// quarantined. All that takes long, from decoding to Invoke, is on one thread: else
// goroutines change threads at each call into C, and a kernel that has to place ever
// other busy threads leaves a core idle while another has two (docs/adr/0017-lanes.md).
//
// That thread makes way for others: one that reads a request, stores a door's record or
// answers a health check takes microseconds, and would else wait for milliseconds behind
// images (docs/adr/0038-overload.md).
func (e *executor) serve() {
	runtime.LockOSThread() // it ends with the goroutine
	_ = background.Yield() // where that is refused, the others wait as usual
	defer e.pool.running.Done()
	defer e.interpreter.Close() // the error cannot be returned to any caller
	for next := range e.work {
		var o outcome
		var quarantined bool
		background.Run(next.Background, func() { o, quarantined = e.do(next) })
		next.done <- o
		if quarantined {
			e.pool.mu.Lock()
			e.pool.stuck--
			e.pool.mu.Unlock()
			return
		}
		e.pool.giveBack(e)
	}
}

// do executes one run, and reports whether the executor was quarantined during it.
func (e *executor) do(r *run) (o outcome, quarantined bool) {
	queued := time.Since(r.submitted)
	if o = e.fill(r); o.err != nil || o.panicked != nil {
		return o, false
	}
	o.inference.Timings.Queue = queued
	begun := time.Now()
	e.begin(r.done)
	e.watchdog.Reset(e.pool.config.InvokeTimeout)
	o.inference.Output, o.err = e.invoke()
	e.watchdog.Stop()
	o.inference.Timings.Inference = time.Since(begun)
	return o, e.end()
}

// fill has the run fill the input tensor. A panic belongs to the caller, not to the
// executor.
func (e *executor) fill(r *run) (o outcome) {
	defer close(r.filled)
	defer func() {
		if p := recover(); p != nil {
			o.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	tensor, err := e.interpreter.InputTensor()
	if err != nil {
		return outcome{err: fmt.Errorf("fill the input tensor: %w", err)}
	}
	o.inference.Filled, o.err = r.Fill(tensor)
	return o
}

func (e *executor) begin(done chan<- outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current, e.started = done, time.Now()
}

func (e *executor) end() (quarantined bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current = nil
	return e.quarantined
}

func (e *executor) invoke() ([]byte, error) {
	if err := e.interpreter.Invoke(); err != nil {
		return nil, fmt.Errorf("run model: %w", err)
	}
	output := make([]byte, e.interpreter.Output().Bytes())
	if err := e.interpreter.ReadOutput(output); err != nil {
		return nil, fmt.Errorf("read the output tensor: %w", err)
	}
	return output, nil
}

// onInvokeTimeout quarantines an executor whose Invoke is overdue, returns an error to
// the caller, and starts a new executor in its place.
func (e *executor) onInvokeTimeout() {
	p := e.pool
	e.mu.Lock()
	// Ignore a stale timer: it fired for an earlier run, or just as this one
	// finished.
	overdue := e.current != nil && time.Since(e.started) >= p.config.InvokeTimeout
	if !overdue {
		e.mu.Unlock()
		return
	}
	e.quarantined = true
	e.current <- outcome{err: fmt.Errorf("run model: %w: no result within %v", edgelens.ErrInference, p.config.InvokeTimeout)}
	// Counted before the executor's lock is released: its goroutine is still
	// among the running, so Close cannot return in between.
	p.mu.Lock()
	p.executors--
	p.stuck++
	replace := p.stuck <= p.config.MaxStuck
	select {
	case <-p.closing:
		replace = false
	default:
	}
	if replace {
		p.running.Add(1)
	}
	p.mu.Unlock()
	e.mu.Unlock()
	if replace {
		defer p.running.Done()
		if fresh, _, err := p.newExecutor(); err == nil {
			p.add(fresh)
		}
	}
}

// warmUp runs the interpreter on noise, twice: the first Invoke packs weights
// and touches every page, the second shows that the interpreter can be used
// again. Noise rather than zeros, because the outputs also distinguish
// probabilities from logits.
func warmUp(interpreter Interpreter) ([][]byte, error) {
	input := interpreter.Input()
	noise := rand.New(rand.NewPCG(1, 2)) // a fixed seed: every start is the same
	var outputs [][]byte
	for range 2 {
		tensor, err := interpreter.InputTensor()
		if err != nil {
			return nil, err
		}
		fillNoise(tensor, input.DType, noise)
		if err := interpreter.Invoke(); err != nil {
			return nil, err
		}
		output := make([]byte, interpreter.Output().Bytes())
		if err := interpreter.ReadOutput(output); err != nil {
			return nil, err
		}
		outputs = append(outputs, output)
	}
	return outputs, nil
}

func fillNoise(tensor []byte, dtype models.DType, noise *rand.Rand) {
	if dtype == models.Float32 {
		for i := 0; i+4 <= len(tensor); i += 4 {
			models.PutFloat32(tensor[i:], 2*noise.Float32()-1)
		}
		return
	}
	for i := range tensor {
		tensor[i] = byte(noise.Uint32())
	}
}
