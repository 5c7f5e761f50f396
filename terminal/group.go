package terminal

import (
	"strings"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

// announceInterval is how often a node announces a device to the others of its group: the
// broker gives each message to one of them only.
const announceInterval = 10 * time.Second

// announce announces a device that is online to the other nodes of the group.
func (p *presence) announce(msg item, device string) {
	if p.config.Group == "" || !p.registry.announce(device, msg.receivedAt, announceInterval) {
		return
	}
	p.answers.put(msg.dialect.Name(), kindAvailability, []dialect.Outgoing{{Topic: seenTopic(device), Payload: []byte(msg.dialect.Name())}})
}

// onAnnouncement records a device that another node of the group has announced.
func (p *presence) onAnnouncement(m session.Message) {
	device, ok := strings.CutPrefix(m.Topic, topicDevices)
	if !ok || p.config.Group == "" || m.Retained {
		return
	}
	of := string(m.Payload)
	if device, ok = strings.CutSuffix(device, seen); !ok || !dialect.ValidDevice(device) || p.dialects.named(of) == nil {
		return
	}
	_, _ = p.registry.noteSeen(of, device, p.now(), provesOnline, false, func(*edgelens.DeviceCounters) {}) // a device that is refused here stays so
}
