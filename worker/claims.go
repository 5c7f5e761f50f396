package worker

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"edgelens"
)

// claims are the jobs that this process works on because its own node has accepted them, at once and without Redis, where
// there is a place: a job need not wait until Redis is polled, which an idle service therefore does rarely. Jobs beyond
// the places go through Redis, to whichever process is free. It is safe for use by many goroutines.
//
// A claimed job has no task in Redis. What becomes of it when this process ends is up to the ledger, as for every job:
// the next start makes a task for each that is not terminal.
type claims struct {
	places places

	mu   sync.Mutex
	open bool
	jobs sync.WaitGroup
	// ctx ends when the jobs under way are abandoned.
	ctx     context.Context
	abandon context.CancelCauseFunc
}

func newClaims(places places) *claims {
	c := &claims{places: places}
	c.ctx, c.abandon = context.WithCancelCause(context.Background())
	return c
}

// start lets jobs be claimed.
func (c *claims) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = true
}

// abandonedTimeout is how long an abandoned job may take to be put back.
const abandonedTimeout = time.Second

// stop claims no more jobs, and returns once those under way are done. After the timeout they are abandoned, and put back;
// what does not even end then is left alone.
func (c *claims) stop(timeout time.Duration) {
	c.mu.Lock()
	c.open = false
	c.mu.Unlock()
	done := make(chan struct{})
	go func() {
		c.jobs.Wait()
		close(done)
	}()
	defer c.abandon(nil)
	select {
	case <-done:
		return
	case <-time.After(timeout):
	}
	c.abandon(edgelens.ErrStopping)
	select {
	case <-done:
	case <-time.After(abandonedTimeout):
	}
}

// run runs work in a goroutine, if there is a place for a job of that queue in Redis, and reports whether there is.
func (c *claims) run(queue string, work func(context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open {
		return false
	}
	free, ok := c.places.tryTake(queue)
	if !ok {
		return false
	}
	c.jobs.Go(func() {
		defer free()
		work(c.ctx)
	})
	return true
}

// claim works on a job that this node has just accepted, and reports whether there is a place for it.
func (w *Worker) claim(queue *Queue, job edgelens.Job) bool {
	return w.claims.run(dispatchQueue(job), func(ctx context.Context) {
		defer queue.claimed.Delete(job.ID)
		ctx, cancel := context.WithTimeout(ctx, queue.config.AttemptTimeout)
		defer cancel()
		if err := w.workOnClaimed(ctx, job.ID); err != nil {
			queue.dispatchAgain(job, err)
		}
	})
}

// workOnClaimed is one attempt at a job of this node. A panic is an error, as in a handler of asynq.
func (w *Worker) workOnClaimed(ctx context.Context, id string) (err error) {
	ctx, end, alone := w.running.begin(ctx, id)
	if !alone {
		return nil
	}
	defer end()
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("panic in a job", "event", "panic", "job", id, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return w.work(ctx, w.own, id)
}
