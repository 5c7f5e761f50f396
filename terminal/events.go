package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
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

// losses counts, for each device, how often the connection was lost with its event in
// transit. It is bounded by the devices that have one.
type losses struct {
	mu    sync.Mutex
	count map[string]loss
}

type loss struct {
	event string
	times int
}

// note counts a loss and returns the number of losses of the event.
func (l *losses) note(device, event string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.count[device]
	if one.event != event {
		one = loss{event: event}
	}
	one.times++
	l.count[device] = one
	return one.times
}

func (l *losses) forget(device string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.count, device)
}

// events publishes the results of records. It implements notify.Sink.
type events struct {
	bridge *Bridge
	losses *losses
}

// Events returns the sink that publishes to the broker. It works between Start and
// Stop.
func (b *Bridge) Events() notify.Sink { return events{b, &losses{count: map[string]loss{}}} }

// Name implements notify.Sink.
func (events) Name() string { return EventsSink }

// Deliver implements notify.Sink: the broker confirms the event and never retains it. An
// event without a subscriber counts as delivered.
func (e events) Deliver(ctx context.Context, d *edgelens.Delivery) error {
	b := e.bridge
	message := session.Outgoing{Topic: topicEvents + d.Record.Device, QoS: 1}
	composed := b.parts.Composer.Compose(d, b.now())
	if d.Reduced {
		composed = event.Reduce(composed, b.maxPayload(message))
		if len(composed.Data.Reduced) == 0 {
			return fmt.Errorf("publish the event: %w: nothing in it can be left out", notify.ErrRejected)
		}
	}
	var err error
	if message.Payload, err = json.Marshal(composed); err != nil {
		return fmt.Errorf("write the event: %w: %w", notify.ErrRejected, err)
	}
	err = b.publish(ctx, message)
	switch {
	case err == nil, errors.Is(err, session.ErrNoSubscriber):
		e.losses.forget(d.Record.Device)
		b.metrics.count(out, d.Record.Dialect, kindEvent)
		return nil
	case errors.Is(err, session.ErrRefused):
		return fmt.Errorf("%w: %w", notify.ErrRejected, err)
	case errors.Is(err, session.ErrLost) && !d.Reduced && e.losses.note(d.Record.Device, d.Record.ID) >= lossesUntilLarge:
		e.losses.forget(d.Record.Device)
		return fmt.Errorf("%w: the connection was lost %d times with this event in transit: %w", edgelens.ErrTooLarge, lossesUntilLarge, err)
	}
	return err
}

// maxPayload is session.Session.MaxPayload on the publishing connection.
func (b *Bridge) maxPayload(m session.Outgoing) int {
	down := b.down.Load()
	if down == nil {
		return 0
	}
	return down.MaxPayload(m)
}

// TakenOver returns an error where another client uses our client id; nil where none is
// known to.
func (b *Bridge) TakenOver() error {
	var all []error
	for _, s := range []*session.Session{b.up.Load(), b.down.Load()} {
		if s != nil {
			all = append(all, s.TakenOver())
		}
	}
	return errors.Join(all...)
}

// answerExpiry is how long the broker may keep an answer for a disconnected device: a later
// one is useless.
const answerExpiry = 30 * time.Second

func (b *Bridge) publishAnswer(ctx context.Context, one answer) error {
	err := b.publish(ctx, session.Outgoing{
		Topic: one.message.Topic, Payload: one.message.Payload, QoS: one.message.QoS, Expiry: answerExpiry,
	})
	if errors.Is(err, session.ErrNoSubscriber) {
		return nil
	}
	return err
}
