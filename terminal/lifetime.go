package terminal

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/terminal/session"
)

// Start begins to connect and returns without waiting for it. Stop must follow.
func (b *Bridge) Start() error {
	address, err := session.ParseAddress(b.config.URL, b.config.CAFile)
	if err == nil {
		address, err = address.WithCertificate(b.config.Certificate)
	}
	if err != nil {
		return fmt.Errorf("start the MQTT bridge: %w: the broker's address %w", edgelens.ErrInvalid, err)
	}
	down := b.connections.down(address)
	if b.parts.BrokerReportsDrops {
		// Not on the receiving connection: it may be at its limit just then.
		down.Subscriptions, down.OnMessage = []session.Subscription{{Filter: topicDropped}}, (&brokerDrops{common: b.common}).onMessage
	}
	if err := b.downlink.start(down, b.onDownlinkUp, b.log); err != nil {
		return err
	}
	b.intake.start()
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	for range answerers {
		b.running.Go(func() { b.answers.send(ctx) })
	}
	b.running.Go(func() { b.commander.run(ctx) })
	b.running.Go(func() { b.availabilities.run(ctx) })
	b.running.Go(func() { b.states.run(ctx) })
	b.running.Go(func() { b.presence.run(ctx) })
	receiving := b.connections.up(address)
	receiving.OnMessage, receiving.OnUp = b.intake.onMessage, b.commander.onUplinkUp
	up, err := session.Start(receiving, b.log)
	if err != nil {
		return errors.Join(err, b.Stop(context.Background()))
	}
	b.up.Store(up)
	if emptied := b.parts.FormerSessionEmptied; emptied != nil {
		former := b.formerSession(address)
		b.running.Go(func() { former.empty(ctx, emptied) })
	}
	return nil
}

// formerSession returns the session of earlier versions, whose client id had no secret.
func (b *Bridge) formerSession(address session.Address) *former {
	config := b.connections.up(address)
	config.ClientID, config.Name = b.connections.clientName(roleUp), ""
	return newFormer(formerParts{session: config, downlink: b.downlink, receive: b.intake.onMessage, log: b.log}, b.parts.Node)
}

// onDownlinkUp is called whenever the publishing connection is up: a broker may have lost
// the retained messages.
func (b *Bridge) onDownlinkUp(ctx context.Context) {
	if err := b.downlink.retain(ctx, b.connections.statusTopic(), statusOnline); err != nil && ctx.Err() == nil {
		b.log.Warn("publishing the status failed", "error", err)
	}
	b.availabilities.all(b.registry.list())
	b.states.all()
	b.commander.onDownlinkUp()
}

// Stop unsubscribes, stores the received messages, publishes the status offline and
// disconnects, until ctx ends: unacknowledged messages are sent again after the next
// start. Sinks must have been stopped before.
func (b *Bridge) Stop(ctx context.Context) error {
	close(b.stopping)
	var errs []error
	if up := b.up.Load(); up != nil {
		if b.config.Group != "" && up.Up() {
			errs = append(errs, up.Unsubscribe(ctx))
		}
		errs = append(errs, up.Stop(ctx))
	}
	b.intake.stop(ctx)
	b.stop()
	b.running.Wait()
	b.answers.drain(ctx)
	b.presence.save(ctx, true)
	if b.downlink.isUp() {
		errs = append(errs, b.downlink.retain(ctx, b.connections.statusTopic(), statusOffline))
	}
	errs = append(errs, b.downlink.stop(ctx))
	return errors.Join(errs...)
}
