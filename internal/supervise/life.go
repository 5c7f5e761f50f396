package supervise

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"edgelens"
)

// supervise runs the child and restarts it until p.ctx ends. It sends the outcome of the first start to started, and
// returns where that failed.
//
// It needs a locked thread because the child is killed when the thread that started it ends (PR_SET_PDEATHSIG,
// https://go.dev/issue/27505), and Go ends threads at any time.
func (p *Process) supervise(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	claim, err := p.claimDir()
	if err != nil {
		started <- fmt.Errorf("start %s: %w", p.spec.Name, err)
		return
	}
	defer claim.release()
	release, err := p.spec.Prepare()
	if err != nil {
		started <- fmt.Errorf("start %s: %w", p.spec.Name, err)
		return
	}
	if release != nil {
		defer release()
	}

	starting, recovered := true, false // before the first time it is ready; since it was last ready
	exits := 0                         // in a row
	for p.ctx.Err() == nil {
		var upSince time.Time
		err := p.live(claim, func() {
			upSince = time.Now()
			if starting {
				started <- nil
			}
			starting, recovered = false, false
		})
		if p.ctx.Err() != nil {
			break
		}
		if errors.Is(err, errRestarted) {
			continue
		}
		if upSince.IsZero() && !recovered && p.recoverData(err) {
			recovered = true
			continue
		}
		if starting {
			started <- fmt.Errorf("start %s: %w: %w", p.spec.Name, edgelens.ErrStopping, err)
			return
		}
		if !upSince.IsZero() && time.Since(upSince) >= p.spec.Backoff.Reset {
			exits = 0
		}
		exits++
		wait := p.spec.Backoff.wait(exits)
		p.spec.Log.Warn("private server ended, restarting it", "error", err, "wait", wait)
		if !p.sleep(wait) {
			break
		}
		p.change(func() { p.restarts++ })
	}
	if starting {
		started <- fmt.Errorf("start %s: %w: it was stopped while it started", p.spec.Name, edgelens.ErrStopping)
	}
}

// recoverData lets the Spec remove the cause of an exit.
func (p *Process) recoverData(err error) bool {
	var exit *ExitError
	return errors.As(err, &exit) && p.spec.Recover(*exit)
}

// sleep waits, and reports false where p.ctx ended first.
func (p *Process) sleep(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// errRestarted is how the child ended by Restart.
var errRestarted = errors.New("it was restarted on purpose")

// live is one run of the child: it returns the reason when the child has ended, and calls ready once when it is ready.
func (p *Process) live(claim *claim, ready func()) error {
	c, err := p.spec.launch()
	if err != nil {
		return err
	}
	claim.record(c.pid(), p.spec.Dir)
	p.change(func() { p.pid, p.running = c.pid(), c })
	defer func() {
		claim.record(0, p.spec.Dir)
		p.change(func() { p.up, p.pid, p.running = false, 0, nil })
	}()
	began := time.Now()
	if err := c.awaitReady(p.ctx); err != nil {
		c.end(p.kill)
		return err
	}
	p.spec.Log.Info("private server ready", "pid", c.pid(), "ms", time.Since(began))
	p.change(func() { p.up = true })
	ready()
	silence, stopAsking := c.watchAlive()
	defer stopAsking()
	select {
	case <-c.gone:
		return c.exitError()
	case err := <-silence:
		p.change(func() { p.up = false })
		c.kill()
		return err
	case <-p.again:
		p.change(func() { p.up = false })
		c.end(p.kill)
		return errRestarted
	case <-p.ctx.Done():
		p.change(func() { p.up = false })
		c.end(p.kill)
		return p.ctx.Err()
	}
}
