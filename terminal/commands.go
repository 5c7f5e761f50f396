package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

const (
	// MinCommandTTL and MaxCommandTTL bound how long a command may be queued.
	MinCommandTTL = minLife
	MaxCommandTTL = 24 * time.Hour
	// maxCommands is the maximum number of queued commands.
	maxCommands = 1000
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

// Send queues a command for a device, in the device's own format; device "" is the
// one that Config.Default names, or else the only one that takes commands. ttl is how
// long it may be queued, 0 for Config.CommandTTL.
//
// Errors: edgelens.ErrNotFound for an unknown device, ErrInvalid for a command that its
// dialect cannot express, *edgelens.Busy for too many queued commands, ErrDiskFull.
func (b *Bridge) Send(ctx context.Context, device string, body json.RawMessage, ttl time.Duration) (edgelens.Command, error) {
	d, device, err := b.addressee(device)
	if err != nil {
		return edgelens.Command{}, err
	}
	if ttl == 0 {
		ttl = b.config.CommandTTL
	}
	if ttl < MinCommandTTL || ttl > MaxCommandTTL {
		return edgelens.Command{}, fmt.Errorf("%w: ttl must be %v to %v, not %v", edgelens.ErrInvalid, MinCommandTTL, MaxCommandTTL, ttl)
	}
	if _, err := d.Command(device, "", body, b.now()); err != nil {
		return edgelens.Command{}, fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
	}
	waiting, err := b.parts.Commands.QueuedCommands(ctx)
	if err != nil {
		return edgelens.Command{}, err
	}
	if len(waiting) >= maxCommands {
		return edgelens.Command{}, &edgelens.Busy{RetryAfter: listenRetry, Reason: fmt.Sprintf("%d commands are queued, which is the maximum", len(waiting))}
	}
	command, err := b.parts.Commands.AddCommand(ctx, device, body, b.now().Add(ttl))
	if err != nil {
		return edgelens.Command{}, err
	}
	wake(b.commandsDue)
	return command, nil
}

// addressee returns the device of a command and its dialect.
func (b *Bridge) addressee(device string) (dialect.Dialect, string, error) {
	if device == "" {
		device = b.config.Default
	}
	if device == "" {
		return b.onlyDevice()
	}
	known, err := b.registry.get(device)
	if err == nil {
		return b.dialects.named(known.Dialect), device, nil
	}
	if device == b.config.Default && len(b.dialects) > 0 {
		return b.dialects[0], device, nil // configured, but without a message yet
	}
	return nil, "", err
}

// onlyDevice returns the one device that takes commands.
func (b *Bridge) onlyDevice() (dialect.Dialect, string, error) {
	var of dialect.Dialect
	found := ""
	for _, device := range b.registry.list() {
		d := b.dialects.named(device.Dialect)
		if d == nil || device.State == edgelens.DeviceRefused || d.Policy().Heartbeat == 0 {
			continue
		}
		if found != "" {
			return nil, "", fmt.Errorf("%w: there is more than one terminal; set terminal.default to the serial number of one, or POST to /api/devices/{id}/commands", edgelens.ErrNotFound)
		}
		of, found = d, device.ID
	}
	if found == "" {
		return nil, "", fmt.Errorf("%w: no terminal has sent a message yet; set terminal.default to the serial number of one, or wait for its first heartbeat", edgelens.ErrNotFound)
	}
	return of, found, nil
}

// Command returns a command; edgelens.ErrNotFound for an unknown id.
func (b *Bridge) Command(ctx context.Context, id string) (edgelens.Command, error) {
	return b.parts.Commands.Command(ctx, id)
}

// sendCommands sends queued commands until ctx ends.
func (b *Bridge) sendCommands(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-b.commandsDue:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		timer.Reset(b.sendQueued(ctx))
	}
}

// sendQueued tries every queued command, and returns the wait until the next try.
func (b *Bridge) sendQueued(ctx context.Context) time.Duration {
	commands, err := b.parts.Commands.QueuedCommands(ctx)
	if err != nil {
		if suppressed, ok := b.limiter.Pass("commands", b.now()); ok && ctx.Err() == nil {
			b.log.Warn("reading the queued commands failed, retrying", "suppressed", suppressed, "error", err)
		}
		return listenRetry
	}
	for _, command := range commands {
		if ctx.Err() != nil {
			break
		}
		b.sendOrExpire(ctx, command)
	}
	if len(commands) == 0 {
		return time.Hour // Send wakes sendCommands
	}
	return listenRetry
}

func (b *Bridge) sendOrExpire(ctx context.Context, command edgelens.Command) {
	left := command.Deadline.Sub(b.now())
	switch {
	case left < minLife:
		b.move(ctx, command.ID, edgelens.CommandExpired, orElse(command.Detail, "It could not be sent before its deadline."))
	case !b.downlink.isUp():
	case b.registry.silent(command.Device):
		b.wait(ctx, command, "The device is offline.")
	default:
		b.send(ctx, command, left)
	}
}

// wait stores the reason why a command is still queued.
func (b *Bridge) wait(ctx context.Context, command edgelens.Command, why string) {
	if command.Detail != why {
		b.move(ctx, command.ID, edgelens.CommandQueued, why)
	}
}

// send sends a command at most once: a door must not open twice because the result of the
// first attempt is unknown. So the command is stored as sent before it is published, and
// stored as queued again only where it certainly was not.
func (b *Bridge) send(ctx context.Context, command edgelens.Command, left time.Duration) {
	message, err := b.translate(command)
	if err != nil {
		b.move(ctx, command.ID, edgelens.CommandFailed, err.Error())
		return
	}
	if b.receivesOwn(message.Topic) && !b.registry.seenSince(command.Device, b.subscribedSince.Load()) {
		b.wait(ctx, command, "The device has sent no message since edgelens connected to the MQTT broker.")
		return
	}
	if !b.move(ctx, command.ID, edgelens.CommandSent, "") {
		return
	}
	err = b.downlink.publish(ctx, session.Outgoing{Topic: message.Topic, Payload: message.Payload, QoS: 1, Expiry: left - brokerSlack})
	switch {
	case err == nil:
		b.traffic.count(out, b.dialectOf(command.Device), kindCommand)
		b.log.Info("command sent", "command", command.ID, "device", command.Device)
	case errors.Is(err, session.ErrOffline):
		b.move(ctx, command.ID, edgelens.CommandQueued, "The MQTT broker is unreachable.")
	case errors.Is(err, edgelens.ErrTooLarge), errors.Is(err, session.ErrRefused):
		b.move(ctx, command.ID, edgelens.CommandFailed, "The MQTT broker rejects it: "+err.Error()+".")
	case errors.Is(err, session.ErrNoSubscriber):
		b.move(ctx, command.ID, edgelens.CommandQueued, "The device is not subscribed; it may be switched off.")
	default:
		b.move(ctx, command.ID, edgelens.CommandFailed, "It is unknown whether the broker received it, so it is not sent again: "+err.Error()+".")
	}
}

// receivesOwn reports whether our own subscriptions match the topic: the broker then
// counts us as a subscriber, and cannot report that the device is not subscribed.
func (b *Bridge) receivesOwn(topic string) bool {
	for _, d := range b.parts.Dialects {
		for _, subscription := range d.Subscriptions() {
			if covers(subscription.Filter, topic) {
				return true
			}
		}
	}
	return false
}

func (b *Bridge) translate(command edgelens.Command) (dialect.Outgoing, error) {
	d, device, err := b.addressee(command.Device)
	if err != nil {
		return dialect.Outgoing{}, err
	}
	return d.Command(device, command.ID, command.Body, b.now())
}

// dialectOf returns the name of a device's dialect, for metrics.
func (b *Bridge) dialectOf(device string) string {
	d, _, err := b.addressee(device)
	if err != nil {
		return ""
	}
	return d.Name()
}

// reply stores a device's reply to a command.
func (b *Bridge) reply(ctx context.Context, msg item, message dialect.Message) {
	b.traffic.count(in, msg.dialect.Name(), message.Kind.String())
	if msg.Retained {
		return
	}
	if !b.noteSeen(msg, message, presenceOnline, func(*edgelens.DeviceCounters) {}) || message.Outcome.Command == "" {
		return
	}
	command, err := b.parts.Commands.Command(ctx, message.Outcome.Command)
	if err != nil || command.Device != message.Device {
		return // a command of another node, or an unknown one
	}
	status := edgelens.CommandFailed
	if message.Outcome.OK {
		status = edgelens.CommandAcknowledged
	}
	b.move(ctx, command.ID, status, message.Outcome.Detail)
	b.log.Info("command acknowledged or refused", "command", command.ID, "device", command.Device, "status", status)
}

// move changes the state of a command and reports whether it could. It does so even after
// ctx has ended: a sent command must be stored as sent.
func (b *Bridge) move(ctx context.Context, id string, status edgelens.CommandStatus, detail string) bool {
	_, err := b.parts.Commands.MoveCommand(context.WithoutCancel(ctx), id, status, detail)
	if err != nil && !errors.Is(err, edgelens.ErrConflict) && !errors.Is(err, edgelens.ErrStopping) {
		b.log.Warn("storing the state of a command failed", "command", id, "status", status, "error", err)
	}
	return err == nil
}

func orElse(text, other string) string {
	if text != "" {
		return text
	}
	return other
}
