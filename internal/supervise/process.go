// Package supervise runs private servers as children of this process where none is configured: redis-server and
// mosquitto. A child is restarted when it ends or no longer answers, stopped with this process, and never outlives it
// (docs/adr/0007-private-redis.md). It needs Linux.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"edgelens"
)

// Spec is the configuration of a child. Only Name, Path, Dir, Ready and Log are required.
type Spec struct {
	// Name is the child's name in logs and errors; also its argv[0].
	Name string
	// Path is the program, absolute.
	Path string
	// Args are its arguments, without argv[0].
	Args []string
	// Env is its whole environment, KEY=value: it inherits none of ours, which
	// may hold secrets.
	Env []string
	// Dir is its working folder, which must exist and belongs to one Process at a time. The file "pid" in it is the
	// Process's.
	Dir string
	// Prepare creates what the child needs, once Dir is locked; release, unless nil, removes it when the child is gone
	// for good.
	Prepare func() (release func(), err error)
	// Ready returns nil once the child answers. It is called until it does, each time with a second to answer.
	Ready func(ctx context.Context) error
	// Alive returns nil where the child answers anything, also that it is busy. Once the child is ready it is called
	// five times per Silence; nil: no check.
	Alive func(ctx context.Context) error
	// Silence is for how long Alive may fail before the child counts as hung, is killed and restarted (default 10s).
	Silence time.Duration
	// Recover is called when a child ended before it was ready. It returns true where it removed the cause, and then
	// the child is restarted at once. It is not called twice in a row.
	Recover func(ExitError) bool
	// StartTimeout bounds the time until the child is ready (default 30s).
	StartTimeout time.Duration
	// StopSignal requests it to end (default SIGTERM).
	StopSignal syscall.Signal
	// OrphanSignal is the signal that the kernel sends it when this process crashes (default SIGKILL). If it survives
	// the signal, the next run stops it.
	OrphanSignal syscall.Signal
	// StopTimeout is how long it may take to end before it is killed (default 10s).
	StopTimeout time.Duration
	// Backoff is the delay before a restart.
	Backoff Backoff
	// Hide are secrets to be removed from the child's output.
	Hide []string
	// Observe is called for each line of the child's output, without those secrets, and must be quick; nil for nothing.
	Observe func(line string)
	// Log gets the child's output at level debug, and its exits as warnings.
	Log *slog.Logger
}

// withDefaults returns the Spec with its optional fields filled in.
func (s Spec) withDefaults() Spec {
	if s.Prepare == nil {
		s.Prepare = func() (func(), error) { return nil, nil }
	}
	if s.Observe == nil {
		s.Observe = func(string) {}
	}
	if s.Recover == nil {
		s.Recover = func(ExitError) bool { return false }
	}
	if s.Silence == 0 {
		s.Silence = 10 * time.Second
	}
	if s.StartTimeout == 0 {
		s.StartTimeout = 30 * time.Second
	}
	if s.StopSignal == 0 {
		s.StopSignal = syscall.SIGTERM
	}
	if s.OrphanSignal == 0 {
		s.OrphanSignal = syscall.SIGKILL
	}
	if s.StopTimeout == 0 {
		s.StopTimeout = 10 * time.Second
	}
	s.Backoff = s.Backoff.withDefaults()
	s.Log = s.Log.With("child", s.Name)
	return s
}

// killGrace is how long Stop waits after SIGKILL for a child in an uninterruptible call to a failing disk.
const killGrace = 2 * time.Second

// Process is a supervised child. Its methods are safe for use by many goroutines. The caller of Start must Stop it.
type Process struct {
	spec Spec

	ctx    context.Context // ends when the child must end
	cancel context.CancelFunc
	kill   chan struct{} // closed when the time to end is over
	again  chan struct{} // has a token where the child is to be restarted on purpose
	done   chan struct{} // closed when the child is gone for good

	mu       sync.Mutex
	begun    bool
	killed   bool
	pid      int
	running  *child // nil while there is none
	up       bool
	restarts int
	changed  chan struct{}
}

// New returns a Process that is not started yet.
func New(spec Spec) *Process {
	ctx, cancel := context.WithCancel(context.Background())
	return &Process{
		spec:    spec.withDefaults(),
		ctx:     ctx,
		cancel:  cancel,
		kill:    make(chan struct{}),
		again:   make(chan struct{}, 1),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
}

// Start starts the child and returns when it is ready; ctx bounds that only. A leftover child of an earlier run is
// stopped first. The error has the child's last lines, and then nothing runs: it wraps ErrInUse where another process
// holds Dir, else ErrStopping, ErrInvalid (started or stopped before), ErrDeadline or ErrCanceled (ctx), or it is
// Prepare's. A Process can be started once.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	begun := p.begun
	p.begun = true
	p.mu.Unlock()
	if begun {
		return fmt.Errorf("start %s: %w: it was started or stopped before; make a new Process", p.spec.Name, edgelens.ErrInvalid)
	}
	started := make(chan error, 1)
	go p.supervise(started)
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
		return errors.Join(
			fmt.Errorf("start %s: %w: it was not ready in time", p.spec.Name, ended(ctx)),
			p.Stop(ctx))
	}
}

// ended returns the sentinel for how ctx ended.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgelens.ErrDeadline
	}
	return edgelens.ErrCanceled
}

// Stop ends the child: by its stop signal, and by SIGKILL when StopTimeout or ctx is over. When it returns nil, no
// process is left. Further calls are harmless. The error wraps ErrDeadline: the child survives even SIGKILL, in an
// uninterruptible call.
func (p *Process) Stop(ctx context.Context) error {
	p.mu.Lock()
	begun := p.begun
	p.begun = true
	p.mu.Unlock()
	p.cancel()
	if !begun {
		close(p.done)
		return nil
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	if !p.killed {
		p.killed = true
		close(p.kill)
	}
	p.mu.Unlock()
	select {
	case <-p.done:
		return nil
	case <-time.After(killGrace):
		return fmt.Errorf("stop %s: %w: process %d is still there after SIGKILL; the disk may be failing", p.spec.Name, edgelens.ErrDeadline, p.PID())
	}
}

// Up reports whether the child runs and has been ready.
func (p *Process) Up() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up
}

// Restarts returns how many times the child was restarted.
func (p *Process) Restarts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.restarts
}

// Restart ends the child once it is up, as Stop does, and starts it again at once; it does not wait for that. Restarts does not
// count it.
func (p *Process) Restart() {
	select {
	case p.again <- struct{}{}:
	default: // it will
	}
}

// PID returns the child's process id; 0 while there is none.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Signal sends a signal to the child, if one runs.
func (p *Process) Signal(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		_ = p.running.cmd.Process.Signal(signal) // it may just have ended
	}
}

// Changed returns a channel that is closed at the next change of Up, Restarts or PID. Get it before reading them, so
// that no change is missed:
//
//	for {
//		changed := p.Changed()
//		... p.Up(), p.Restarts() ...
//		<-changed
//	}
func (p *Process) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// change changes the state by f and notifies waiting callers.
func (p *Process) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}
