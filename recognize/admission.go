package recognize

import (
	"context"
	"fmt"
	"sync"
	"time"

	"edgelens"
)

// admission limits the number of concurrent requests: up to workers in progress, up
// to queue waiting. A request that exceeds these, or would wait past its deadline, is
// rejected at once.
type admission struct {
	places  chan struct{} // workers + queue
	workers chan struct{}

	mu      sync.Mutex
	waiting int
	// service is the moving average of the time that a worker is held.
	service time.Duration
}

func newAdmission(workers, queue int) *admission {
	return &admission{places: make(chan struct{}, workers+queue), workers: make(chan struct{}, workers)}
}

// enter waits for a worker and returns the function that releases it, which
// must be called exactly once. The error is an *edgelens.Busy, ErrDeadline or
// ErrCanceled.
func (a *admission) enter(ctx context.Context) (leave func(), err error) {
	select {
	case a.places <- struct{}{}:
	default:
		return nil, a.busy("every worker is taken and the queue is full", a.wait(cap(a.places)))
	}
	defer func() {
		if err != nil {
			<-a.places
		}
	}()

	select {
	case a.workers <- struct{}{}: // a free worker needs no prediction
	default:
		if err := a.queueUp(ctx); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	return func() {
		a.learn(time.Since(start))
		<-a.workers
		<-a.places
	}, nil
}

// queueUp waits for a worker, unless the predicted wait exceeds the deadline.
func (a *admission) queueUp(ctx context.Context) error {
	a.mu.Lock()
	a.waiting++
	position := a.waiting
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.waiting--
		a.mu.Unlock()
	}()
	predicted := a.wait(position)
	if deadline, ok := ctx.Deadline(); ok && predicted > time.Until(deadline) {
		return a.busy("the wait for a worker would outlast the deadline", predicted)
	}
	select {
	case a.workers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// wait predicts the wait at this position in the queue.
func (a *admission) wait(position int) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.service * time.Duration(position) / time.Duration(cap(a.workers))
}

// learn adds one observation to the moving average, which weighs about the
// last ten.
func (a *admission) learn(took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.service == 0 {
		a.service = took
		return
	}
	a.service += (took - a.service) / 10
}

func (a *admission) busy(reason string, retryAfter time.Duration) error {
	return &edgelens.Busy{RetryAfter: retryAfter, Reason: fmt.Sprintf("%v: %s; try again shortly", edgelens.ErrBusy, reason)}
}
