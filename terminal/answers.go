package terminal

import (
	"context"

	"edgelens/terminal/dialect"
)

const (
	// answerers is the number of answers sent concurrently.
	answerers = 8
	// maxAnswers is the maximum number of queued answers; a device whose answer is
	// dropped asks again.
	maxAnswers = 2048
)

// answer is the answer to a message of a device.
type answer struct {
	dialectName, kind string
	message           dialect.Outgoing
}

// answers sends the answers that devices expect at once, independently of slow work.
type answers struct {
	queue   chan answer
	metrics *metrics
	publish func(context.Context, answer) error
}

func newAnswers(metrics *metrics, publish func(context.Context, answer) error) *answers {
	return &answers{queue: make(chan answer, maxAnswers), metrics: metrics, publish: publish}
}

// put queues answers; it never blocks.
func (a *answers) put(dialectName, kind string, messages []dialect.Outgoing) {
	for _, message := range messages {
		select {
		case a.queue <- answer{dialectName, kind, message}:
		default:
			a.metrics.drop(dropAnswering)
		}
	}
}

// send sends answers until ctx ends.
func (a *answers) send(ctx context.Context) {
	for {
		select {
		case next := <-a.queue:
			a.sendOne(ctx, next)
		case <-ctx.Done():
			return
		}
	}
}

// drain sends the queued answers until ctx ends.
func (a *answers) drain(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case next := <-a.queue:
			a.sendOne(ctx, next)
		default:
			return
		}
	}
}

func (a *answers) sendOne(ctx context.Context, next answer) {
	if err := a.publish(ctx, next); err != nil {
		a.metrics.drop(dropNotSent)
		return
	}
	a.metrics.count(out, next.dialectName, next.kind)
}
