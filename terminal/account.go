package terminal

import (
	"slices"
	"strings"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/session"
)

// noDialect is the reason for a topic that no dialect has.
const noDialect = "No dialect has this topic."

// malformed counts a message that is none, keeps why, and says so once per device and
// minute.
func (b *Bridge) malformed(one item, err error) {
	b.metrics.count(in, one.dialect.Name(), kindMalformed)
	if one.device != "" {
		b.registry.count(one.device, func(c *edgelens.DeviceCounters) { c.Malformed++ })
	}
	reason := "The message holds no record: " + strings.TrimPrefix(err.Error(), dialect.ErrMalformed.Error()+": ") + "."
	b.notUnderstood.add(one, one.device, reason, one.receivedAt)
	b.warn(one, "a message was not understood", err)
}

// empty counts a message without anything in it: what clears a retained one is no
// record.
func (b *Bridge) empty(one item) {
	b.metrics.count(in, one.dialect.Name(), kindEmpty)
	if one.device != "" {
		b.registry.count(one.device, func(c *edgelens.DeviceCounters) { c.Empty++ })
	}
}

// foreignTopic keeps that there is a message on a topic that no dialect has: a terminal
// may be set up wrongly.
func (b *Bridge) foreignTopic(m session.Message) {
	isDownlink := slices.ContainsFunc(b.matcher, func(d dialect.Dialect) bool { return d.Downlink(m.Topic) })
	if len(m.Payload) == 0 || isDownlink {
		return
	}
	b.metrics.count(in, "", kindForeign)
	b.foreign.add(item{Message: m}, "", noDialect, b.now())
}

// account counts and keeps what was not understood of a message that is one.
func (b *Bridge) account(one item, reading wire.Reading) {
	device, leftOut, without := one.device, reading.LeftOut, 0
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
		b.notUnderstood.add(one, device, problem, one.receivedAt)
	}
	b.warn(one, "a message was not wholly understood: "+strings.Join(problems, " "), nil)
}
