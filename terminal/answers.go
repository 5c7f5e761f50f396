package terminal

import (
	"context"
	"errors"
	"time"

	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

const (
	// answerers is the number of answers sent concurrently.
	answerers = 8
	// maxAnswers is the maximum number of queued answers; a device whose answer is
	// dropped asks again.
	maxAnswers = 2048
	// answerExpiry is how long the broker may keep an answer for a disconnected device: a
	// later one is useless.
	answerExpiry = 30 * time.Second
)

// answer is the answer to a message of a device.
type answer struct {
	dialectName, kind string
	message           dialect.Outgoing
}

// answers sends the answers that devices expect at once, independently of slow work. It is
// safe for use by many goroutines.
type answers struct {
	queue    chan answer
	traffic  *traffic
	downlink *downlink
}

func newAnswers(traffic *traffic, downlink *downlink) *answers {
	return &answers{queue: make(chan answer, maxAnswers), traffic: traffic, downlink: downlink}
}

// put queues answers; it never blocks.
func (a *answers) put(dialectName, kind string, messages []dialect.Outgoing) {
	for _, message := range messages {
		select {
		case a.queue <- answer{dialectName, kind, message}:
		default:
			a.traffic.drop(dropAnswering)
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
	err := a.downlink.publish(ctx, session.Outgoing{
		Topic: next.message.Topic, Payload: next.message.Payload, QoS: next.message.QoS, Expiry: answerExpiry,
	})
	if err != nil && !errors.Is(err, session.ErrNoSubscriber) {
		a.traffic.drop(dropNotSent)
		return
	}
	a.traffic.count(out, next.dialectName, next.kind)
}
