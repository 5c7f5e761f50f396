package terminal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
	"edgelens/terminal/session"
)

// EventsSink is the name of the MQTT events in the outbox.
const EventsSink = "mqtt"

// lossesUntilLarge is after how many consecutive connection losses with the same event in
// transit it counts as too large: some brokers report nothing else.
const lossesUntilLarge = 3

// events publishes the results of records, insights, and changes of states. It implements notify.Sink and is safe for use by
// many goroutines.
type events struct {
	downlink *downlink
	composer event.Composer
	traffic  *traffic
	now      func() time.Time
	losses   losses
}

// Name implements notify.Sink.
func (*events) Name() string { return EventsSink }

// Deliver implements notify.Sink: the broker confirms the event and never retains it. An
// event without a subscriber counts as delivered.
func (e *events) Deliver(ctx context.Context, d *edgelens.Delivery) error {
	if d.Insight != nil {
		return e.deliverInsight(ctx, d)
	}
	if d.State != nil {
		return e.deliverWhole(ctx, d, "change of a state", stateChangesTopic(d.State.Name), event.ComposeState(d.State, e.now()))
	}
	message := session.Outgoing{Topic: topicEvents + d.Record.Device, QoS: 1, Trace: d.Trace}
	composed := e.composer.Compose(d, e.now())
	if d.Reduced {
		composed = e.composer.Reduce(composed, e.downlink.maxPayload(message))
		if len(composed.Data.Reduced) == 0 {
			return fmt.Errorf("publish the event: %w: nothing in it can be left out", notify.ErrRejected)
		}
	}
	var err error
	if message.Payload, err = e.composer.JSON(composed); err != nil {
		return fmt.Errorf("write the event: %w: %w", notify.ErrRejected, err)
	}
	err = e.downlink.publish(ctx, message)
	switch {
	case err == nil, errors.Is(err, session.ErrNoSubscriber):
		e.losses.forget(d.Record.Device)
		e.traffic.count(out, d.Record.Dialect, kindEvent)
		return nil
	case errors.Is(err, session.ErrRefused):
		return fmt.Errorf("%w: %w", notify.ErrRejected, err)
	case errors.Is(err, session.ErrLost) && !d.Reduced && e.losses.note(d.Record.Device, d.Record.ID) >= lossesUntilLarge:
		e.losses.forget(d.Record.Device)
		return fmt.Errorf("%w: the connection was lost %d times with this event in transit: %w", edgelens.ErrTooLarge, lossesUntilLarge, err)
	}
	return err
}
