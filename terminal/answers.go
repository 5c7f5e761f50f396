package terminal

import (
	"context"

	"edgelens/terminal/dialect"
)

const (
	// answerers is how many answers are on their way at a time.
	answerers = 8
	// maxAnswers is how many may wait; a device whose answer is dropped asks
	// again.
	maxAnswers = 2048
)

// answer is a message to a device that answers what it said.
type answer struct {
	of, kind string
	message  dialect.Outgoing
}

// answers send what devices are due at once, apart from everything that takes
// time.
type answers struct {
	queue   chan answer
	metrics *metrics
	publish func(context.Context, answer) error
}

func newAnswers(metrics *metrics, publish func(context.Context, answer) error) *answers {
	return &answers{queue: make(chan answer, maxAnswers), metrics: metrics, publish: publish}
}

// put never blocks.
func (a *answers) put(of, kind string, messages []dialect.Outgoing) {
	for _, message := range messages {
		select {
		case a.queue <- answer{of, kind, message}:
		default:
			a.metrics.drop(dropAnswering)
		}
	}
}

// send sends until ctx ends.
func (a *answers) send(ctx context.Context) {
	for {
		select {
		case one := <-a.queue:
			a.sendOne(ctx, one)
		case <-ctx.Done():
			return
		}
	}
}

// drain sends what is left until ctx ends.
func (a *answers) drain(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case one := <-a.queue:
			a.sendOne(ctx, one)
		default:
			return
		}
	}
}

func (a *answers) sendOne(ctx context.Context, one answer) {
	if err := a.publish(ctx, one); err != nil {
		a.metrics.drop(dropNotSent)
		return
	}
	a.metrics.count(out, one.of, one.kind)
}
