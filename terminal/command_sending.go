package terminal

import (
	"cmp"
	"context"
	"errors"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

const (
	// listenRetry is the wait between attempts to send a command whose device is not
	// subscribed.
	listenRetry = time.Second
	// brokerSlack is subtracted from the expiry that the broker gets: it counts in whole
	// seconds, and mosquitto delivers a message for almost one second more.
	brokerSlack = time.Second
	// minLife is the minimum time to its deadline for a command to be sent: none may be
	// delivered after its deadline.
	minLife = brokerSlack + time.Second
)

// onUplinkUp is called whenever we receive messages, until connection ends.
func (c *commander) onUplinkUp(connection context.Context) {
	since := c.now()
	c.subscribedSince.Store(&since)
	context.AfterFunc(connection, func() { c.subscribedSince.CompareAndSwap(&since, nil) })
	wake(c.due)
}

// onDownlinkUp is called whenever commands can be published.
func (c *commander) onDownlinkUp() { wake(c.due) }

// run sends queued commands until ctx ends.
func (c *commander) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.due:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		timer.Reset(c.sendQueued(ctx))
	}
}

// sendQueued tries every queued command, and returns the wait until the next try.
func (c *commander) sendQueued(ctx context.Context) time.Duration {
	commands, err := c.store.QueuedCommands(ctx)
	if err != nil {
		if suppressed, ok := c.limiter.Pass("commands", c.now()); ok && ctx.Err() == nil {
			c.log.Warn("reading the queued commands failed, retrying", "suppressed", suppressed, "error", err)
		}
		return listenRetry
	}
	for _, command := range commands {
		if ctx.Err() != nil {
			break
		}
		c.sendOrExpire(ctx, command)
	}
	if len(commands) == 0 {
		return time.Hour // submit wakes run
	}
	return listenRetry
}

func (c *commander) sendOrExpire(ctx context.Context, command edgelens.Command) {
	left := command.Deadline.Sub(c.now())
	switch {
	case left < minLife:
		c.move(ctx, command.ID, edgelens.CommandExpired, cmp.Or(command.Detail, "It could not be sent before its deadline."))
	case !c.downlink.isUp():
	case c.registry.silent(command.Device):
		c.wait(ctx, command, "The device is offline.")
	default:
		c.send(ctx, command, left)
	}
}

// wait stores the reason why a command is still queued.
func (c *commander) wait(ctx context.Context, command edgelens.Command, why string) {
	if command.Detail != why {
		c.move(ctx, command.ID, edgelens.CommandQueued, why)
	}
}

// send sends a command at most once: a door must not open twice because the result of the
// first attempt is unknown. So the command is stored as sent before it is published, and
// stored as queued again only where it certainly was not.
func (c *commander) send(ctx context.Context, command edgelens.Command, left time.Duration) {
	message, err := c.translate(command)
	if err != nil {
		c.move(ctx, command.ID, edgelens.CommandFailed, err.Error())
		return
	}
	if c.receivesOwn(message.Topic) && !c.registry.seenSince(command.Device, c.subscribedSince.Load()) {
		c.wait(ctx, command, "The device has sent no message since edgelens connected to the MQTT broker.")
		return
	}
	if !c.move(ctx, command.ID, edgelens.CommandSent, "") {
		return
	}
	err = c.downlink.publish(ctx, session.Outgoing{Topic: message.Topic, Payload: message.Payload, QoS: 1, Expiry: left - brokerSlack})
	switch {
	case err == nil:
		c.traffic.count(out, c.dialectOf(command.Device), kindCommand)
		c.log.Info("command sent", "command", command.ID, "device", command.Device)
	case errors.Is(err, session.ErrOffline):
		c.move(ctx, command.ID, edgelens.CommandQueued, "The MQTT broker is unreachable.")
	case errors.Is(err, edgelens.ErrTooLarge), errors.Is(err, session.ErrRefused):
		c.move(ctx, command.ID, edgelens.CommandFailed, "The MQTT broker rejects it: "+err.Error()+".")
	case errors.Is(err, session.ErrNoSubscriber):
		c.move(ctx, command.ID, edgelens.CommandQueued, "The device is not subscribed; it may be switched off.")
	default:
		c.move(ctx, command.ID, edgelens.CommandFailed, "It is unknown whether the broker received it, so it is not sent again: "+err.Error()+".")
	}
}

// receivesOwn reports whether our own subscriptions match the topic: the broker then
// counts us as a subscriber, and cannot report that the device is not subscribed.
func (c *commander) receivesOwn(topic string) bool {
	for _, d := range c.dialects {
		for _, subscription := range d.Subscriptions() {
			if covers(subscription.Filter, topic) {
				return true
			}
		}
	}
	return false
}

func (c *commander) translate(command edgelens.Command) (dialect.Outgoing, error) {
	d, device, err := c.addressee(command.Device)
	if err != nil {
		return dialect.Outgoing{}, err
	}
	return d.Command(device, command.ID, command.Body, c.now())
}

// dialectOf returns the name of a device's dialect, for metrics.
func (c *commander) dialectOf(device string) string {
	d, _, err := c.addressee(device)
	if err != nil {
		return ""
	}
	return d.Name()
}

// move changes the state of a command and reports whether it could. It does so even after
// ctx has ended: a sent command must be stored as sent.
func (c *commander) move(ctx context.Context, id string, status edgelens.CommandStatus, detail string) bool {
	_, err := c.store.MoveCommand(context.WithoutCancel(ctx), id, status, detail)
	if err != nil && !errors.Is(err, edgelens.ErrConflict) && !errors.Is(err, edgelens.ErrStopping) {
		c.log.Warn("storing the state of a command failed", "command", id, "status", status, "error", err)
	}
	return err == nil
}
