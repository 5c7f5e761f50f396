package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edgelens"
	"edgelens/deliver"
	"edgelens/terminal/session"
)

// EventsSink is the name of the MQTT events in the outbox.
const EventsSink = "mqtt"

// events publishes what became of records. It implements deliver.Sink.
type events struct{ face *Face }

// Events returns the sink that publishes on the broker. It works between Start
// and Stop.
func (f *Face) Events() deliver.Sink { return events{f} }

// Name implements deliver.Sink.
func (events) Name() string { return EventsSink }

// Deliver implements deliver.Sink: the event is confirmed by the broker, and
// never retained. That nobody listens is no fault.
func (e events) Deliver(ctx context.Context, d *edgelens.Delivery) error {
	f := e.face
	payload, err := json.Marshal(f.parts.Composer.Compose(d, f.now()))
	if err != nil {
		return fmt.Errorf("write the event: %w: %w", deliver.ErrRejected, err)
	}
	err = f.publish(ctx, session.Outgoing{Topic: topicEvents + d.Record.Device, Payload: payload, QoS: 1})
	if err != nil && !errors.Is(err, session.ErrNobodyListens) {
		return err
	}
	f.metrics.count(out, d.Record.Dialect, kindEvent)
	return nil
}

// answerExpiry is how long the broker may keep an answer for a device that is
// away: later it means nothing.
const answerExpiry = 30 * time.Second

func (f *Face) publishAnswer(ctx context.Context, one answer) error {
	err := f.publish(ctx, session.Outgoing{
		Topic: one.message.Topic, Payload: one.message.Payload, QoS: one.message.QoS, Expiry: answerExpiry,
	})
	if errors.Is(err, session.ErrNobodyListens) {
		return nil
	}
	return err
}
