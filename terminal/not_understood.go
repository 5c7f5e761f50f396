package terminal

import (
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/clip"
)

const (
	// maxNotUnderstood is the maximum number of topics with reasons, and maxForeign of
	// topics that no dialect uses.
	maxNotUnderstood = 200
	maxForeign       = 50
	// maxOfDevice is the maximum number shown for one device.
	maxOfDevice = 10
	maxTopic    = 200
)

// notUnderstood holds messages that were not understood, by topic and reason. When full, it
// evicts the one not seen for the longest time. It is safe for use by many goroutines.
type notUnderstood struct {
	max int

	mu   sync.Mutex
	seen map[topicReason]*edgelens.NotUnderstood
}

type topicReason struct{ topic, reason string }

func newNotUnderstood(limit int) *notUnderstood {
	return &notUnderstood{max: limit, seen: map[topicReason]*edgelens.NotUnderstood{}}
}

// add records a message that was not understood.
func (n *notUnderstood) add(msg item, device, reason string, now time.Time) {
	topic := clip.ASCII(msg.Topic, maxTopic)
	n.mu.Lock()
	defer n.mu.Unlock()
	key := topicReason{topic, reason}
	found := n.seen[key]
	if found == nil {
		if len(n.seen) >= n.max {
			n.forget()
		}
		found = &edgelens.NotUnderstood{Topic: topic, Device: device, Reason: reason, First: now}
		if msg.dialect != nil {
			found.Dialect = msg.dialect.Name()
		}
		n.seen[key] = found
	}
	found.Count++
	found.Last = now
	found.Excerpt = excerpt(msg.Payload)
}

// forget removes the one not seen for the longest time.
func (n *notUnderstood) forget() {
	var oldest topicReason
	var at time.Time
	for key, msg := range n.seen {
		if at.IsZero() || msg.Last.Before(at) {
			oldest, at = key, msg.Last
		}
	}
	delete(n.seen, oldest)
}

// list returns all, the latest first.
func (n *notUnderstood) list() []edgelens.NotUnderstood {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]edgelens.NotUnderstood, 0, len(n.seen))
	for _, msg := range n.seen {
		all = append(all, *msg)
	}
	slices.SortFunc(all, func(a, b edgelens.NotUnderstood) int { return b.Last.Compare(a.Last) })
	return all
}

// of returns the latest ones of a device.
func (n *notUnderstood) of(device string) []edgelens.NotUnderstood {
	all := slices.DeleteFunc(n.list(), func(msg edgelens.NotUnderstood) bool { return msg.Device != device })
	return all[:min(len(all), maxOfDevice)]
}
