package supervise

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ExitError is how a child ended.
type ExitError struct {
	// Status is such as "exit status 1" or "signal: killed".
	Status string
	// Crashed is true where a signal of a bug in the child ended it (SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE).
	Crashed bool
	// Lines are the last lines it wrote, at most 20.
	Lines []string
}

// Error returns the status and the last lines.
func (d *ExitError) Error() string {
	if len(d.Lines) == 0 {
		return fmt.Sprintf("it ended with %s without output", d.Status)
	}
	return fmt.Sprintf("it ended with %s; its last lines: %s", d.Status, strings.Join(d.Lines, " | "))
}

// child is one run of a server.
type child struct {
	spec  Spec
	cmd   *exec.Cmd
	lines *lines
	gone  chan struct{} // closed when it has ended and is reaped
}

// launch starts a child. The calling thread must live as long as the child.
func (s Spec) launch() (*child, error) {
	c := &child{spec: s, lines: &lines{log: s.Log, hide: s.Hide, observe: s.Observe}, gone: make(chan struct{})}
	c.cmd = &exec.Cmd{
		Path: s.Path,
		Args: append([]string{s.Name}, s.Args...),
		Env:  append([]string{}, s.Env...), // nil would inherit ours
		Dir:  s.Dir,
		// One writer for both: one pipe, and the lines stay in order.
		Stdout: c.lines,
		Stderr: c.lines,
		// A grandchild can hold the pipe open.
		WaitDelay: time.Second,
		SysProcAttr: &syscall.SysProcAttr{
			Pdeathsig: s.OrphanSignal, // when this process ends, even by a crash
			Setpgid:   true,           // Ctrl-C in a terminal is for this process, which stops the child in order
		},
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", s.Path, err)
	}
	go c.reap()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// reap waits for the child's end, and ends its forks (Redis forks to rewrite its file). Until the child is reaped, its
// group's id cannot be reused.
func (c *child) reap() {
	defer close(c.gone)
	for {
		err := unix.Waitid(unix.P_PID, c.pid(), nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.signal(syscall.SIGKILL)
	_ = c.cmd.Wait() // the status is in ProcessState
	c.lines.flush()
}

// signal sends a signal to the child and its forks. It fails only where there is no process.
func (c *child) signal(signal syscall.Signal) { _ = syscall.Kill(-c.pid(), signal) }

// end ends the child, by SIGKILL when StopTimeout is over or kill is closed.
func (c *child) end(kill <-chan struct{}) {
	select {
	case <-c.gone:
		return
	default:
	}
	_ = c.cmd.Process.Signal(c.spec.StopSignal) // it ends its own forks
	timer := time.NewTimer(c.spec.StopTimeout)
	defer timer.Stop()
	select {
	case <-c.gone:
		return
	case <-timer.C:
	case <-kill:
	}
	c.spec.Log.Warn("private server did not stop in time, killed", "pid", c.pid())
	c.kill()
}

// kill ends the child at once: one that hangs does not react to StopSignal.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // reap ends its forks
	<-c.gone
}

// exitError returns how the child ended; only once it is gone.
func (c *child) exitError() *ExitError {
	d := &ExitError{Status: c.cmd.ProcessState.String(), Lines: c.lines.last()}
	if status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		switch status.Signal() {
		case syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGILL, syscall.SIGFPE:
			d.Crashed = true
		}
	}
	return d
}

// awaitReady returns nil when the child answers; an *ExitError where it ended first. On any other error it still runs.
func (c *child) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.spec.StartTimeout)
	defer cancel()
	for pause := 5 * time.Millisecond; ; pause = min(pause*2, 200*time.Millisecond) {
		err := c.probe(ctx)
		if err == nil {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-c.gone:
			timer.Stop()
			return c.exitError()
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("it was not ready within %v (%v); its last lines: %s", c.spec.StartTimeout, err, strings.Join(c.lines.last(), " | "))
		}
	}
}

// probe checks once whether the child answers.
func (c *child) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return c.spec.Ready(ctx)
}
