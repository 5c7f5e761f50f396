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
	// MinCommandTTL and MaxCommandTTL bound how long a command may wait to be
	// sent.
	MinCommandTTL = minLife
	MaxCommandTTL = 24 * time.Hour
	// maxCommands is how many may wait.
	maxCommands = 1000
	// listenRetry is how often a command is tried while its device does not
	// listen.
	listenRetry = time.Second
	// brokerSlack is by how much the broker is given less than is left: it counts
	// in whole seconds, and mosquitto hands a message on for almost one more.
	brokerSlack = time.Second
	// minLife is what a command must have left to be sent: none may be handed
	// on past its deadline.
	minLife = brokerSlack + time.Second
)

// Send queues a command for a device, in the device's words; device "" is the
// one that Config.Default names, or else the only one there is that takes
// commands. ttl is how long it may wait to be sent, 0 for Config.CommandTTL.
//
// Errors: edgelens.ErrNotFound where there is no such device, ErrInvalid for
// what its dialect cannot say, *edgelens.Busy where too many wait, ErrDiskFull.
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
		return edgelens.Command{}, &edgelens.Busy{RetryAfter: listenRetry, Reason: fmt.Sprintf("%d commands wait to be sent, which is all that may", len(waiting))}
	}
	command, err := b.parts.Commands.AddCommand(ctx, device, body, b.now().Add(ttl))
	if err != nil {
		return edgelens.Command{}, err
	}
	wake(b.commandsDue)
	return command, nil
}

// addressee returns whom a command is for, and what it speaks.
func (b *Bridge) addressee(device string) (dialect.Dialect, string, error) {
	if device == "" {
		device = b.config.Default
	}
	if device == "" {
		return b.onlyDevice()
	}
	known, err := b.registry.get(device)
	if err == nil {
		return b.matcher.named(known.Dialect), device, nil
	}
	if device == b.config.Default && len(b.matcher) > 0 {
		return b.matcher[0], device, nil // configured, and not heard from yet
	}
	return nil, "", err
}

// onlyDevice returns the one device that takes commands.
func (b *Bridge) onlyDevice() (dialect.Dialect, string, error) {
	var of dialect.Dialect
	found := ""
	for _, device := range b.registry.list() {
		d := b.matcher.named(device.Dialect)
		if d == nil || device.State == edgelens.DeviceRefused || d.Policy().Heartbeat == 0 {
			continue
		}
		if found != "" {
			return nil, "", fmt.Errorf("%w: there is more than one terminal; set terminal.default to the serial number of one, or POST to /api/devices/{id}/commands", edgelens.ErrNotFound)
		}
		of, found = d, device.ID
	}
	if found == "" {
		return nil, "", fmt.Errorf("%w: no terminal was heard from; set terminal.default to the serial number of one, or wait for its first heartbeat", edgelens.ErrNotFound)
	}
	return of, found, nil
}

// Command returns a command; edgelens.ErrNotFound where there is none.
func (b *Bridge) Command(ctx context.Context, id string) (edgelens.Command, error) {
	return b.parts.Commands.Command(ctx, id)
}

// sendCommands sends what is queued, until ctx ends.
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

// sendQueued tries every command that waits, and returns when to look again.
func (b *Bridge) sendQueued(ctx context.Context) time.Duration {
	commands, err := b.parts.Commands.QueuedCommands(ctx)
	if err != nil {
		if suppressed, ok := b.limiter.pass("commands", b.now()); ok && ctx.Err() == nil {
			b.log.Warn("read the commands that wait; it is tried again", "suppressed", suppressed, "error", err)
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
		return time.Hour // Send wakes
	}
	return listenRetry
}

func (b *Bridge) sendOrExpire(ctx context.Context, command edgelens.Command) {
	left := command.Deadline.Sub(b.now())
	switch {
	case left < minLife:
		b.move(ctx, command.ID, edgelens.CommandExpired, orElse(command.Detail, "It could not be sent before its deadline."))
	case !b.downConfig():
	case b.registry.silent(command.Device):
		b.wait(ctx, command, "The device is offline.")
	default:
		b.send(ctx, command, left)
	}
}

// wait notes why a command waits.
func (b *Bridge) wait(ctx context.Context, command edgelens.Command, why string) {
	if command.Detail != why {
		b.move(ctx, command.ID, edgelens.CommandQueued, why)
	}
}

// send sends a command at most once: a door must not open twice because we are
// not sure. So it is noted as sent before; that is taken back where it surely
// was not.
func (b *Bridge) send(ctx context.Context, command edgelens.Command, left time.Duration) {
	message, err := b.translate(command)
	if err != nil {
		b.move(ctx, command.ID, edgelens.CommandFailed, err.Error())
		return
	}
	if b.receivesOwn(message.Topic) && !b.registry.seenSince(command.Device, b.subscribedSince.Load()) {
		b.wait(ctx, command, "The device was not heard from since there is a connection to the MQTT broker.")
		return
	}
	if !b.move(ctx, command.ID, edgelens.CommandSent, "") {
		return
	}
	err = b.publish(ctx, session.Outgoing{Topic: message.Topic, Payload: message.Payload, QoS: 1, Expiry: left - brokerSlack})
	switch {
	case err == nil:
		b.metrics.count(out, b.dialectOf(command.Device), kindCommand)
		b.log.Info("command sent", "command", command.ID, "device", command.Device)
	case errors.Is(err, session.ErrOffline):
		b.move(ctx, command.ID, edgelens.CommandQueued, "The MQTT broker is away.")
	case errors.Is(err, edgelens.ErrTooLarge), errors.Is(err, session.ErrRefused):
		b.move(ctx, command.ID, edgelens.CommandFailed, "The MQTT broker does not take it: "+err.Error()+".")
	case errors.Is(err, session.ErrNoSubscriber):
		b.move(ctx, command.ID, edgelens.CommandQueued, "The device does not listen; it may be switched off.")
	default:
		b.move(ctx, command.ID, edgelens.CommandFailed, "It is not known whether the broker has it, so it is not sent again: "+err.Error()+".")
	}
}

// receivesOwn reports whether we hear what is published on the topic ourselves:
// the broker then takes us for somebody who listens, and cannot tell that the
// device does not.
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

// dialectOf names a device's dialect, for metrics.
func (b *Bridge) dialectOf(device string) string {
	d, _, err := b.addressee(device)
	if err != nil {
		return ""
	}
	return d.Name()
}

// reply takes down what a device says of a command of its own.
func (b *Bridge) reply(ctx context.Context, one item, message dialect.Message) {
	b.metrics.count(in, one.dialect.Name(), message.Kind.String())
	if one.Retained {
		return
	}
	if !b.noteSeen(one, message, presenceOnline, func(*edgelens.DeviceCounters) {}) || message.Outcome.Command == "" {
		return
	}
	command, err := b.parts.Commands.Command(ctx, message.Outcome.Command)
	if err != nil || command.Device != message.Device {
		return // another node's, or none of ours
	}
	status := edgelens.CommandFailed
	if message.Outcome.OK {
		status = edgelens.CommandAcknowledged
	}
	b.move(ctx, command.ID, status, message.Outcome.Detail)
	b.log.Info("command answered", "command", command.ID, "device", command.Device, "status", status)
}

// move moves a command to another state and reports whether it could. It is
// worth trying where ctx has ended, too: what was sent must be known as sent.
func (b *Bridge) move(ctx context.Context, id string, status edgelens.CommandStatus, detail string) bool {
	_, err := b.parts.Commands.MoveCommand(context.WithoutCancel(ctx), id, status, detail)
	if err != nil && !errors.Is(err, edgelens.ErrConflict) && !errors.Is(err, edgelens.ErrStopping) {
		b.log.Warn("write down what became of a command", "command", id, "status", status, "error", err)
	}
	return err == nil
}

func orElse(text, other string) string {
	if text != "" {
		return text
	}
	return other
}
