package terminal

import (
	"slices"
	"strings"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/session"
)

// noDialect is the reason for a topic that no dialect uses.
const noDialect = "No dialect uses this topic."

// malformed counts a message that cannot be decoded, keeps the reason, and logs it at
// most once per device and minute.
func (b *Bridge) malformed(msg item, err error) {
	b.traffic.count(in, msg.dialect.Name(), kindMalformed)
	if msg.device != "" {
		b.registry.count(msg.device, func(c *edgelens.DeviceCounters) { c.Malformed++ })
	}
	reason := "The message holds no record: " + strings.TrimPrefix(err.Error(), dialect.ErrMalformed.Error()+": ") + "."
	b.notUnderstood.add(msg, msg.device, reason, msg.receivedAt)
	b.warn(msg, "a message was not understood", err)
}

// empty counts a message without a payload: one that clears a retained message is no
// record.
func (b *Bridge) empty(msg item) {
	b.traffic.count(in, msg.dialect.Name(), kindEmpty)
	if msg.device != "" {
		b.registry.count(msg.device, func(c *edgelens.DeviceCounters) { c.Empty++ })
	}
}

// foreignTopic keeps that a message came on a topic that no dialect uses: a terminal may
// be misconfigured.
func (b *Bridge) foreignTopic(m session.Message) {
	isDownlink := slices.ContainsFunc(b.dialects, func(d dialect.Dialect) bool { return d.Downlink(m.Topic) })
	if len(m.Payload) == 0 || isDownlink {
		return
	}
	b.traffic.count(in, "", kindForeign)
	b.foreign.add(item{Message: m}, "", noDialect, b.now())
}

// account counts and keeps the parts of a decoded message that were not understood.
func (b *Bridge) account(msg item, reading wire.Reading) {
	device, leftOut, without := msg.device, reading.LeftOut, 0
	for _, message := range reading.Messages {
		if device == "" {
			device = message.Device
		}
		leftOut += message.LeftOut
		if message.Kind == dialect.Records && len(message.Entries) == 0 {
			without++
		}
	}
	problems := reading.Problems()
	if len(problems) == 0 {
		return
	}
	b.registry.count(device, func(c *edgelens.DeviceCounters) {
		if reading.Repaired != "" {
			c.Repaired++
		}
		c.LeftOut += int64(leftOut)
		c.WithoutRecords += int64(without)
	})
	for _, problem := range problems {
		b.notUnderstood.add(msg, device, problem, msg.receivedAt)
	}
	b.warn(msg, "a message was not wholly understood: "+strings.Join(problems, " "), nil)
}
