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

// A lane is one interpreter and the goroutine that runs it, which keeps to one
// thread. The lane owns the interpreter and frees it when its work channel is closed.
type executor struct {
	pool        *Pool
	interpreter Interpreter
	watchdog    *time.Timer
	// work takes one run at a time. A lane that is idle has nothing in it.
	work chan *run

	mu sync.Mutex
	// current is where the Invoke under way answers; nil between two.
	current chan<- outcome
	started time.Time
	// quarantined is set once, by the watchdog.
	quarantined bool
}

// run is a tensor to be made and a call of Invoke.
type run struct {
	fill       func() ([]byte, error)
	background bool
	// filled is closed once fill and its tensor are not used any more.
	filled chan struct{}
	done   chan outcome
}

type outcome struct {
	output []byte
	err    error
	// panicked is what fill panicked with, with its stack.
	panicked any
}

func (o outcome) get() ([]byte, error) {
	if o.panicked != nil {
		panic(o.panicked)
	}
	return o.output, o.err
}

// newExecutor builds and warms up an interpreter and starts its goroutine.
func (p *Pool) newExecutor() (*executor, [][]byte, error) {
	interpreter, err := p.model.NewInterpreter()
	if err != nil {
		return nil, nil, err
	}
	warm, err := warmUp(interpreter)
	if err != nil {
		_ = interpreter.Close() // the first error says more
		return nil, nil, &RuntimeError{Sentence: "it fails on an image of noise", Detail: err.Error()}
	}
	l := &executor{pool: p, interpreter: interpreter, work: make(chan *run, 1)}
	l.watchdog = time.AfterFunc(time.Hour, l.onInvokeTimeout)
	l.watchdog.Stop()
	p.running.Add(1)
	go l.serve()
	return l, warm, nil
}

// serve makes the runs of the lane until its work channel is closed or it is
// quarantined. What takes long is on one thread from decoding to Invoke: goroutines
// change threads at each call into C, and a kernel that must place ever other busy
// threads lets a core idle while another has two of them (docs/adr/0017-lanes.md).
func (l *executor) serve() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.pool.running.Done()
	defer l.interpreter.Close() // nobody is left to tell
	for next := range l.work {
		var o outcome
		var quarantined bool
		background.Run(next.background, func() { o, quarantined = l.do(next) })
		next.done <- o
		if quarantined {
			l.pool.mu.Lock()
			l.pool.stuck--
			l.pool.mu.Unlock()
			return
		}
		l.pool.giveBack(l)
	}
}

// do makes one run, and says whether the lane was quarantined over it.
func (l *executor) do(r *run) (o outcome, quarantined bool) {
	if o, ok := l.fill(r); !ok {
		return o, false
	}
	l.begin(r.done)
	l.watchdog.Reset(l.pool.config.InvokeTimeout)
	o.output, o.err = l.invoke()
	l.watchdog.Stop()
	return o, l.end()
}

// fill fills the input tensor; false where there is nothing to invoke. A panic is
// the caller's, not the lane's.
func (l *executor) fill(r *run) (o outcome, ok bool) {
	defer close(r.filled)
	defer func() {
		if p := recover(); p != nil {
			o.panicked, ok = fmt.Sprintf("%v\n%s", p, debug.Stack()), false
		}
	}()
	tensor, err := r.fill()
	if err != nil {
		return outcome{err: err}, false
	}
	if want := l.interpreter.Input().Bytes(); len(tensor) != want {
		return outcome{err: fmt.Errorf("run model: %w: the tensor has %d bytes, not %d", edgelens.ErrInvalid, len(tensor), want)}, false
	}
	if err := l.interpreter.SetInput(tensor); err != nil {
		return outcome{err: fmt.Errorf("fill the input tensor: %w", err)}, false
	}
	return outcome{}, true
}

func (l *executor) begin(done chan<- outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current, l.started = done, time.Now()
}

func (l *executor) end() (quarantined bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = nil
	return l.quarantined
}

func (l *executor) invoke() ([]byte, error) {
	if err := l.interpreter.Invoke(); err != nil {
		return nil, fmt.Errorf("run model: %w", err)
	}
	output := make([]byte, l.interpreter.Output().Bytes())
	if err := l.interpreter.ReadOutput(output); err != nil {
		return nil, fmt.Errorf("read the output tensor: %w", err)
	}
	return output, nil
}

// onInvokeTimeout is the watchdog: it quarantines a lane whose Invoke is overdue, tells
// the caller, and puts a new lane in its place.
func (l *executor) onInvokeTimeout() {
	p := l.pool
	l.mu.Lock()
	// A watchdog that fired while its run was ending, or for a run before
	// this one, must not hurt the innocent.
	overdue := l.current != nil && time.Since(l.started) >= p.config.InvokeTimeout
	if !overdue {
		l.mu.Unlock()
		return
	}
	l.quarantined = true
	l.current <- outcome{err: fmt.Errorf("run model: %w: no answer within %v", edgelens.ErrInference, p.config.InvokeTimeout)}
	// Counted before the lock on the lane is gone: its goroutine is still
	// among the running, so Close cannot slip between.
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
	l.mu.Unlock()
	if replace {
		defer p.running.Done()
		if fresh, _, err := p.newExecutor(); err == nil {
			p.add(fresh)
		}
	}
}

// warmUp runs the interpreter on noise, twice: the first Invoke packs weights
// and touches every page, the second shows that the interpreter can be used
// again. Noise rather than zeros, because the outputs also tell probabilities
// from logits.
func warmUp(interpreter Interpreter) ([][]byte, error) {
	input := interpreter.Input()
	tensor := make([]byte, input.Bytes())
	noise := rand.New(rand.NewPCG(1, 2)) // a fixed seed: every start is alike
	var outputs [][]byte
	for range 2 {
		fillNoise(tensor, input.DType, noise)
		if err := interpreter.SetInput(tensor); err != nil {
			return nil, err
		}
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
