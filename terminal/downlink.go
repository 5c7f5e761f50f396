package terminal

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"edgelens/terminal/session"
)

// downlink is the connection that publishes. Before start it is offline. It is safe for use
// by many goroutines.
type downlink struct {
	session atomic.Pointer[session.Session]
	// begun is closed once session is set.
	begun chan struct{}
}

func newDownlink() *downlink { return &downlink{begun: make(chan struct{})} }

// start begins to connect and returns without waiting for it; stop must follow. onUp may
// publish.
func (d *downlink) start(config session.Config, onUp func(context.Context), log *slog.Logger) error {
	config.OnUp = func(connection context.Context) {
		<-d.begun
		onUp(connection)
	}
	started, err := session.Start(config, log)
	if err != nil {
		return err
	}
	d.session.Store(started)
	close(d.begun)
	return nil
}

// stop disconnects.
func (d *downlink) stop(ctx context.Context) error { return d.session.Load().Stop(ctx) }

// isUp reports whether there is a connection.
func (d *downlink) isUp() bool {
	s := d.session.Load()
	return s != nil && s.Up()
}

// publish is session.Session.Publish.
func (d *downlink) publish(ctx context.Context, message session.Outgoing) error {
	s := d.session.Load()
	if s == nil {
		return session.ErrOffline
	}
	return s.Publish(ctx, message)
}

// retain publishes a retained message; one without a subscriber counts as published.
func (d *downlink) retain(ctx context.Context, topic, payload string) error {
	err := d.publish(ctx, session.Outgoing{Topic: topic, Payload: []byte(payload), QoS: 1, Retain: true})
	if errors.Is(err, session.ErrNoSubscriber) {
		return nil
	}
	return err
}

// maxPayload is session.Session.MaxPayload.
func (d *downlink) maxPayload(m session.Outgoing) int {
	s := d.session.Load()
	if s == nil {
		return 0
	}
	return s.MaxPayload(m)
}

// takenOver is session.Session.TakenOver.
func (d *downlink) takenOver() error {
	s := d.session.Load()
	if s == nil {
		return nil
	}
	return s.TakenOver()
}
