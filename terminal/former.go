package terminal

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"edgelens/terminal/session"
)

const (
	// formerTimeout is the time limit for emptying the former session; the next start
	// retries.
	formerTimeout = 2 * time.Minute
	formerCheck   = 50 * time.Millisecond
)

// former empties the session that an earlier version had at the broker: messages that the
// broker has acknowledged and kept in it must not be lost.
type former struct {
	bridge *Bridge
	// mark is a message to ourselves: messages before it were kept in the session.
	mark    string
	reached chan struct{}
	once    sync.Once
	// pending is the number of messages in progress.
	pending atomic.Int64
}

// emptyFormer processes the messages in the former session like all others, and ends the
// session. Messages that arrive meanwhile come on both sessions, here as duplicates.
func (b *Bridge) emptyFormer(ctx context.Context, address session.Address, lasting time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, formerTimeout)
	defer cancel()
	err := (&former{bridge: b, mark: rand.Text(), reached: make(chan struct{})}).empty(ctx, address, lasting)
	if err == nil {
		err = b.parts.FormerSessionEmptied()
	}
	if err != nil {
		b.log.Warn("emptying the MQTT session of an earlier version failed; the next start retries", "error", err)
	}
}

func (o *former) empty(ctx context.Context, address session.Address, lasting time.Duration) error {
	b := o.bridge
	topic := markerTopic(b.parts.Node) + "/former"
	config := session.Config{
		Address: address, ClientID: b.clientName(roleUp), Lasting: lasting, ReceiveMaximum: receiveMaximum, MaxPacketBytes: uint32(b.config.MaxMessageBytes),
		Subscriptions: append(b.subscriptions(), session.Subscription{Filter: topic, QoS: 1}), Marker: topic + "/waited",
		OnMessage: func(m session.Message) { o.onMessage(topic, m) },
	}
	config.OnUp = func(connection context.Context) {
		for connection.Err() == nil {
			// The publishing connection may not be up yet.
			if err := b.downlink.publish(connection, session.Outgoing{Topic: topic, Payload: []byte(o.mark), QoS: 1}); err == nil || !pause(connection, formerCheck) {
				return
			}
		}
	}
	old, err := session.Start(config, b.log)
	if err != nil {
		return err
	}
	err = o.wait(ctx)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFormer)
	defer cancel()
	if err = errors.Join(err, old.Stop(stopping)); err != nil {
		return err
	}
	// A connection without a persistent session ends the existing one.
	end, err := session.Start(session.Config{Address: address, ClientID: b.clientName(roleUp)}, b.log)
	if err != nil {
		return err
	}
	for !end.Up() && ctx.Err() == nil {
		pause(ctx, formerCheck)
	}
	return errors.Join(ctx.Err(), end.Stop(stopping))
}

// stopFormer is the time limit for disconnecting.
const stopFormer = 5 * time.Second

// onMessage passes a message on, and counts it as pending until it is acknowledged.
func (o *former) onMessage(topic string, m session.Message) {
	if m.Topic == topic {
		if string(m.Payload) == o.mark {
			o.once.Do(func() { close(o.reached) })
		}
		m.Ack()
		return
	}
	o.pending.Add(1)
	ack := m.Ack
	m.Ack = sync.OnceFunc(func() {
		ack()
		o.pending.Add(-1)
	})
	o.bridge.onMessage(m)
}

// wait waits until all messages of the session have been processed.
func (o *former) wait(ctx context.Context) error {
	select {
	case <-o.reached:
	case <-ctx.Done():
		return ctx.Err()
	}
	for o.pending.Load() > 0 {
		if !pause(ctx, formerCheck) {
			return ctx.Err()
		}
	}
	return nil
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}
