package homeassistant

import (
	"math/rand/v2"
	"strings"
	"time"
)

// Incoming is a message of the broker.
type Incoming struct {
	Topic   string
	Payload []byte
	// Retained: the broker had retained it, or its sender has it retained.
	Retained bool
	// Waited: it may have waited at the broker while there was no connection.
	Waited bool
	// Ack acknowledges it.
	Ack func()
}

// incoming is a message, or that the connection came or went.
type incoming struct {
	Incoming
	isLink, up bool
	// at is when it arrived.
	at time.Time
}

// Connected notes that the connection came or went. It may block while Run publishes.
func (a *Announcer) Connected(up bool) { a.incoming <- incoming{isLink: true, up: up} }

// Receive takes a message; it does not block. The devices of others are left out at once: there may be thousands.
func (a *Announcer) Receive(m Incoming) {
	id := between(m.Topic, prefixConfig, suffixConfig)
	switch {
	case between(m.Topic, topicOurs, suffixCommand) != "":
		a.commands.receive(between(m.Topic, topicOurs, suffixCommand), m)
		return
	case m.Topic == topicBirth, between(m.Topic, topicNodes, suffixPeer) != "":
	case strings.HasPrefix(id, idPrefix) && (len(m.Payload) == 0 || a.parts.Node.Group != ""):
	default:
		m.Ack()
		return
	}
	select {
	case a.incoming <- incoming{Incoming: m, at: time.Now()}:
	default:
		a.metrics.dropped.WithLabelValues(dropQueue).Inc()
		m.Ack()
	}
}

// on handles a message, or that the connection came or went.
func (a *Announcer) on(m incoming, now time.Time) {
	if m.isLink {
		a.onLink(m.up, now)
		return
	}
	defer m.Ack()
	if m.Topic == topicBirth {
		if string(m.Payload) == online {
			a.log.Info("Home Assistant has started: devices are made known again", "event", "homeassistant_birth", "devices", len(a.entries))
			a.again(now, jitter(a.timing.BirthJitter))
		}
		return
	}
	if node := between(m.Topic, topicNodes, suffixPeer); node != "" {
		a.peers.note(node, string(m.Payload) == online)
		return
	}
	a.onConfig(between(m.Topic, prefixConfig, suffixConfig), m, now)
}

// jitter returns a random duration up to the maximum.
func jitter(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}

// onConfig handles a message of discovery of another client. An empty one about a device of ours is a user's, who has
// deleted it in Home Assistant, or one of its entities: it is not made known again until it is renamed, or forgotten, here.
func (a *Announcer) onConfig(id string, m incoming, now time.Time) {
	mark, exists := a.marks[id]
	switch {
	case !exists && a.book.devices[id] == nil: // not ours
	case len(m.Payload) > 0:
		a.book.unhide(id) // another node of the group makes it known
	case !a.book.deleted(id):
		a.book.delete(id, mark)
		e := a.entries[id]
		delete(a.entries, id)
		// The device is gone, and Home Assistant warns of a second removal. But where this came before the broker had confirmed
		// our own message, that may be the last one.
		crossed := e != nil && m.at.Before(e.published)
		a.removals[id] = removal{at: now.Add(2 * a.timing.Debounce), values: !crossed}
		a.save()
		a.log.Info("device deleted in Home Assistant: it is not announced until it is renamed, or forgotten and back", "event", "homeassistant_deleted", "id", id)
	}
}
