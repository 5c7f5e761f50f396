package terminal

import (
	"context"

	"edgelens"
	"edgelens/terminal/dialect"
)

// onReply stores a device's reply to a command.
func (c *commander) onReply(ctx context.Context, msg item, message dialect.Message) {
	c.traffic.count(in, msg.dialect.Name(), message.Kind.String())
	if msg.Retained {
		return
	}
	if !c.presence.noteSeen(msg, message, provesOnline, true, func(*edgelens.DeviceCounters) {}) || message.Outcome.Command == "" {
		return
	}
	command, err := c.store.Command(ctx, message.Outcome.Command)
	if err != nil || command.Device != message.Device {
		return // a command of another node, or an unknown one
	}
	status := edgelens.CommandFailed
	if message.Outcome.OK {
		status = edgelens.CommandAcknowledged
	}
	c.move(ctx, command.ID, status, message.Outcome.Detail)
	c.log.Info("command acknowledged or refused", "command", command.ID, "device", command.Device, "status", status)
}
