package supervise

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"edgelens"
)

// supervise runs the child, again and again, until p.ctx ends. It tells
// started how the first start went, and ends where that failed.
//
// It keeps its thread to itself because the child is killed when the thread
// that started it ends (PR_SET_PDEATHSIG, https://go.dev/issue/27505), and Go
// ends threads whenever it likes.
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
	deaths := 0                        // in a row
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
		if upSince.IsZero() && !recovered && p.recoverData(err) {
			recovered = true
			continue
		}
		if starting {
			started <- fmt.Errorf("start %s: %w: %w", p.spec.Name, edgelens.ErrStopping, err)
			return
		}
		if !upSince.IsZero() && time.Since(upSince) >= p.spec.Backoff.Reset {
			deaths = 0
		}
		deaths++
		wait := p.spec.Backoff.wait(deaths)
		p.spec.Log.Warn("a private server died and is started again", "error", err, "wait", wait)
		if !p.sleep(wait) {
			break
		}
		p.change(func() { p.restarts++ })
	}
	if starting {
		started <- fmt.Errorf("start %s: %w: it was stopped while it started", p.spec.Name, edgelens.ErrStopping)
	}
}

// recoverData asks the Spec to remove the cause of a death.
func (p *Process) recoverData(err error) bool {
	var death *Death
	return errors.As(err, &death) && p.spec.Recover(*death)
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

// live is one life of the child: it returns when the child is dead, with the
// reason, and calls ready once when it has become ready.
func (p *Process) live(claim *claim, ready func()) error {
	c, err := p.spec.launch()
	if err != nil {
		return err
	}
	claim.record(c.pid(), p.spec.Dir)
	p.change(func() { p.pid = c.pid() })
	defer func() {
		claim.record(0, p.spec.Dir)
		p.change(func() { p.up, p.pid = false, 0 })
	}()
	began := time.Now()
	if err := c.awaitReady(p.ctx); err != nil {
		c.end(p.kill)
		return err
	}
	p.spec.Log.Info("a private server is up", "pid", c.pid(), "took", time.Since(began).Round(time.Millisecond))
	p.change(func() { p.up = true })
	ready()
	silence, stopAsking := c.listen()
	defer stopAsking()
	select {
	case <-c.gone:
		return c.death()
	case err := <-silence:
		p.change(func() { p.up = false })
		c.kill()
		return err
	case <-p.ctx.Done():
		p.change(func() { p.up = false })
		c.end(p.kill)
		return p.ctx.Err()
	}
}
