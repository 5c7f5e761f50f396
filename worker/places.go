package worker

import (
	"context"
	"fmt"
	"sync"

	"edgelens"
)

// places bound how many jobs of each queue in Redis are at hand in this process: started in the ledger, their images in
// memory. They hold for claimed jobs and for those of Redis together: when the program crashes, an attempt of each job
// at hand is counted.
type places map[string]chan struct{}

// newPlaces returns those for that many jobs that may run at a time. Jobs of devices have places of their own: a door's
// event must not wait until one of an app is done.
func newPlaces(concurrency int) places {
	return places{
		queueDevice:               make(chan struct{}, interactiveAtHand*concurrency),
		edgelens.QueueInteractive: make(chan struct{}, interactiveAtHand*concurrency),
		edgelens.QueueBulk:        make(chan struct{}, bulkAtHand*concurrency),
	}
}

// take waits for a place of a queue. The function frees it.
func (p places) take(ctx context.Context, queue string) (free func(), err error) {
	select {
	case p[queue] <- struct{}{}:
		return p.freeing(queue), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a place among the jobs at hand: %w", edgelens.ErrCanceled)
	}
}

// tryTake takes a place of a queue, if there is one. The function frees it.
func (p places) tryTake(queue string) (free func(), ok bool) {
	select {
	case p[queue] <- struct{}{}:
		return p.freeing(queue), true
	default:
		return nil, false
	}
}

func (p places) freeing(queue string) func() { return sync.OnceFunc(func() { <-p[queue] }) }
