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
	// formerTimeout is how long emptying the former session may take; the next start
	// tries again.
	formerTimeout = 2 * time.Minute
	formerCheck   = 50 * time.Millisecond
)

// former empties the session that an earlier version had at the broker: what the broker
// has acknowledged and kept in it must not be lost.
type former struct {
	bridge *Bridge
	// mark is what we send to ourselves: what is in front of it was kept.
	mark    string
	reached chan struct{}
	once    sync.Once
	// pending is how many messages are not done with.
	pending atomic.Int64
}

// emptyFormer takes what is in the former session like anything else that is heard, and
// ends the session. What comes meanwhile comes to both sessions, and is a duplicate here.
func (b *Bridge) emptyFormer(ctx context.Context, address session.Address, lasting time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, formerTimeout)
	defer cancel()
	err := (&former{bridge: b, mark: rand.Text(), reached: make(chan struct{})}).empty(ctx, address, lasting)
	if err == nil {
		err = b.parts.FormerSessionEmptied()
	}
	if err != nil {
		b.log.Warn("empty the MQTT session of an earlier version; the next start tries again", "error", err)
	}
}

func (o *former) empty(ctx context.Context, address session.Address, lasting time.Duration) error {
	f := o.bridge
	topic := markerTopic(f.parts.Node) + "/former"
	config := session.Config{
		Address: address, ClientID: f.clientName(uplink), Lasting: lasting, ReceiveMaximum: receiveMaximum, MaxPacketBytes: uint32(f.config.MaxMessageBytes),
		Subscriptions: append(f.subscriptions(), session.Subscription{Filter: topic, QoS: 1}), Marker: topic + "/waited",
		OnMessage: func(m session.Message) { o.onMessage(topic, m) },
	}
	config.OnUp = func(connection context.Context) {
		for connection.Err() == nil {
			// The connection that speaks may not be there yet.
			if err := f.publish(connection, session.Outgoing{Topic: topic, Payload: []byte(o.mark), QoS: 1}); err == nil || !pause(connection, formerCheck) {
				return
			}
		}
	}
	old, err := session.Start(config, f.log)
	if err != nil {
		return err
	}
	err = o.wait(ctx)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFormer)
	defer cancel()
	if err = errors.Join(err, old.Stop(stopping)); err != nil {
		return err
	}
	// A connection without a lasting session ends the one that there was.
	end, err := session.Start(session.Config{Address: address, ClientID: f.clientName(uplink)}, f.log)
	if err != nil {
		return err
	}
	for !end.Up() && ctx.Err() == nil {
		pause(ctx, formerCheck)
	}
	return errors.Join(ctx.Err(), end.Stop(stopping))
}

// stopFormer is how long it may take to disconnect.
const stopFormer = 5 * time.Second

// onMessage hands a message on, and counts it until it is done with.
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

// wait waits until all that was kept is done with.
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

// pause waits, and reports whether ctx has not ended meanwhile.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}
