package terminal

import (
	"slices"
	"strings"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/session"
)

const (
	// maxReasons is the maximum number of topics with reasons, and maxForeign of topics
	// that no dialect uses.
	maxReasons = 200
	maxForeign = 50
	// maxOfDevice is the maximum number shown for one device.
	maxOfDevice = 10
	// noDialect is the reason for a topic that no dialect uses.
	noDialect = "No dialect uses this topic."
)

// notUnderstood accounts for messages that were not understood, or not wholly: it counts
// them, lists the reasons, and logs them at most once per device and minute. It is safe for
// use by many goroutines.
type notUnderstood struct {
	common
	dialects matcher
	registry *registry
	// reasons lists those of devices, foreign the topics that no dialect uses.
	reasons, foreign *reasonList
}

func newNotUnderstood(common common, dialects matcher, registry *registry) *notUnderstood {
	return &notUnderstood{common: common, dialects: dialects, registry: registry, reasons: newReasonList(maxReasons), foreign: newReasonList(maxForeign)}
}

// list returns all since this process started, the latest first, and then the topics that
// no dialect uses.
func (n *notUnderstood) list() []edgelens.NotUnderstood {
	return slices.Concat(n.reasons.list(), n.foreign.list())
}

// of returns the latest ones of a device.
func (n *notUnderstood) of(device string) []edgelens.NotUnderstood {
	all := slices.DeleteFunc(n.reasons.list(), func(msg edgelens.NotUnderstood) bool { return msg.Device != device })
	return all[:min(len(all), maxOfDevice)]
}

// malformed accounts for a message that cannot be decoded.
func (n *notUnderstood) malformed(msg item, err error) {
	n.traffic.count(in, msg.dialect.Name(), kindMalformed)
	if msg.device != "" {
		n.registry.count(msg.device, func(c *edgelens.DeviceCounters) { c.Malformed++ })
	}
	reason := "The message holds no record: " + strings.TrimPrefix(err.Error(), dialect.ErrMalformed.Error()+": ") + "."
	n.reasons.add(msg, msg.device, reason, msg.receivedAt)
	n.warn(msg, "a message was not understood", err)
}

// uncertified accounts for a message of a device without the certificate that it needs.
func (n *notUnderstood) uncertified(msg item, device string) {
	n.traffic.count(in, msg.dialect.Name(), kindUncertified)
	n.traffic.drop(dropUncertified)
	n.reasons.add(msg, device, noCertificate, msg.receivedAt)
	n.warn(msg, "a message was refused: "+noCertificate, nil)
}

// unproven accounts for a message that does not prove to be of its device, which is "" where it is not known. The reason
// is a sentence.
func (n *notUnderstood) unproven(msg item, device, reason string) {
	n.traffic.count(in, msg.dialect.Name(), kindUnproven)
	if device != "" {
		n.registry.count(device, func(c *edgelens.DeviceCounters) { c.Unproven++ })
	}
	n.reasons.add(msg, device, reason, msg.receivedAt)
	n.warn(msg, "a message was refused because it does not prove to be of its device: "+reason, nil)
}

// empty counts a message without a payload: one that clears a retained message is no
// record.
func (n *notUnderstood) empty(msg item) {
	n.traffic.count(in, msg.dialect.Name(), kindEmpty)
	if msg.device != "" {
		n.registry.count(msg.device, func(c *edgelens.DeviceCounters) { c.Empty++ })
	}
}

// foreignTopic lists a message on a topic that no dialect uses: a terminal may be
// misconfigured.
func (n *notUnderstood) foreignTopic(m session.Message) {
	isDownlink := slices.ContainsFunc(n.dialects, func(d dialect.Dialect) bool { return d.Downlink(m.Topic) })
	if len(m.Payload) == 0 || isDownlink {
		return
	}
	n.traffic.count(in, "", kindForeign)
	n.foreign.add(item{Message: m}, "", noDialect, n.now())
}

// inPart accounts for the parts of a decoded message that were not understood.
func (n *notUnderstood) inPart(msg item, reading wire.Reading) {
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
	n.registry.count(device, func(c *edgelens.DeviceCounters) {
		if reading.Repaired != "" {
			c.Repaired++
		}
		c.LeftOut += int64(leftOut)
		c.WithoutRecords += int64(without)
	})
	for _, problem := range problems {
		n.reasons.add(msg, device, problem, msg.receivedAt)
	}
	n.warn(msg, "a message was not wholly understood: "+strings.Join(problems, " "), nil)
}
