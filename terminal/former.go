package terminal

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
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
	// stopFormer is the time limit for disconnecting.
	stopFormer = 5 * time.Second
)

// formerParts are the dependencies of former.
type formerParts struct {
	// session is the configuration of the former session, without callbacks.
	session  session.Config
	downlink *downlink
	// receive takes the messages.
	receive func(session.Message)
	log     *slog.Logger
}

// former empties the session that an earlier version had at the broker: messages that the
// broker has acknowledged and kept in it must not be lost.
type former struct {
	formerParts
	// mark is a message to ourselves on topic: messages before it were kept in the session.
	topic, mark string
	reached     chan struct{}
	once        sync.Once
	// pending is the number of messages in progress.
	pending atomic.Int64
}

// newFormer returns the former session of a node.
func newFormer(parts formerParts, node string) *former {
	return &former{formerParts: parts, topic: markerTopic(node) + "/former", mark: rand.Text(), reached: make(chan struct{})}
}

// empty processes the messages in the former session like all others, ends the session, and
// calls emptied. Messages that arrive meanwhile come on both sessions, here as duplicates.
func (f *former) empty(ctx context.Context, emptied func() error) {
	ctx, cancel := context.WithTimeout(ctx, formerTimeout)
	defer cancel()
	err := f.process(ctx)
	if err == nil {
		err = emptied()
	}
	if err != nil {
		f.log.Warn("emptying the MQTT session of an earlier version failed; the next start retries", "error", err)
	}
}

// process processes the messages and ends the session.
func (f *former) process(ctx context.Context) error {
	config := f.session
	config.Subscriptions = append(slices.Clip(config.Subscriptions), session.Subscription{Filter: f.topic, QoS: 1})
	config.Marker, config.OnMessage, config.OnUp = f.topic+"/waited", f.onMessage, f.publishMark
	old, err := session.Start(config, f.log)
	if err != nil {
		return err
	}
	err = f.wait(ctx)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFormer)
	defer cancel()
	if err = errors.Join(err, old.Stop(stopping)); err != nil {
		return err
	}
	// A connection without a persistent session ends the existing one.
	end, err := session.Start(session.Config{Address: config.Address, ClientID: config.ClientID}, f.log)
	if err != nil {
		return err
	}
	for !end.Up() && ctx.Err() == nil {
		pause(ctx, formerCheck)
	}
	return errors.Join(ctx.Err(), end.Stop(stopping))
}

// publishMark publishes the mark, unless the connection ends.
func (f *former) publishMark(connection context.Context) {
	for connection.Err() == nil {
		// The publishing connection may not be up yet.
		if err := f.downlink.publish(connection, session.Outgoing{Topic: f.topic, Payload: []byte(f.mark), QoS: 1}); err == nil || !pause(connection, formerCheck) {
			return
		}
	}
}

// onMessage passes a message on, and counts it as pending until it is acknowledged.
func (f *former) onMessage(m session.Message) {
	if m.Topic == f.topic {
		if string(m.Payload) == f.mark {
			f.once.Do(func() { close(f.reached) })
		}
		m.Ack()
		return
	}
	f.pending.Add(1)
	ack := m.Ack
	m.Ack = sync.OnceFunc(func() {
		ack()
		f.pending.Add(-1)
	})
	f.receive(m)
}

// wait waits until all messages of the session have been processed.
func (f *former) wait(ctx context.Context) error {
	select {
	case <-f.reached:
	case <-ctx.Done():
		return ctx.Err()
	}
	for f.pending.Load() > 0 {
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
