package terminal

import (
	"slices"
	"sync"
	"time"

	"edgelens"
)

const (
	// maxNotUnderstood is how many topics and reasons are kept, and maxForeign how many
	// topics that no dialect has.
	maxNotUnderstood = 200
	maxForeign       = 50
	// maxOfDevice is how many of them are shown of one device.
	maxOfDevice = 10
	maxTopic    = 200
)

// notUnderstood is what was not understood of messages, by topic and reason. Where there
// is no room, what has not been seen for the longest time goes. It is safe for use by
// many goroutines.
type notUnderstood struct {
	max int

	mu   sync.Mutex
	seen map[topicReason]*edgelens.NotUnderstood
}

type topicReason struct{ topic, reason string }

func newNotUnderstood(limit int) *notUnderstood {
	return &notUnderstood{max: limit, seen: map[topicReason]*edgelens.NotUnderstood{}}
}

// add takes down that something was not understood of a message.
func (n *notUnderstood) add(one item, device, reason string, now time.Time) {
	topic := printable(one.Topic, maxTopic)
	n.mu.Lock()
	defer n.mu.Unlock()
	key := topicReason{topic, reason}
	found := n.seen[key]
	if found == nil {
		if len(n.seen) >= n.max {
			n.forget()
		}
		found = &edgelens.NotUnderstood{Topic: topic, Device: device, Reason: reason, First: now}
		if one.dialect != nil {
			found.Dialect = one.dialect.Name()
		}
		n.seen[key] = found
	}
	found.Count++
	found.Last = now
	found.Excerpt = excerpt(one.Payload)
}

// forget removes what has not been seen for the longest time.
func (n *notUnderstood) forget() {
	var oldest topicReason
	var at time.Time
	for key, one := range n.seen {
		if at.IsZero() || one.Last.Before(at) {
			oldest, at = key, one.Last
		}
	}
	delete(n.seen, oldest)
}

// list returns all, the latest first.
func (n *notUnderstood) list() []edgelens.NotUnderstood {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]edgelens.NotUnderstood, 0, len(n.seen))
	for _, one := range n.seen {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b edgelens.NotUnderstood) int { return b.Last.Compare(a.Last) })
	return all
}

// of returns the latest of a device.
func (n *notUnderstood) of(device string) []edgelens.NotUnderstood {
	all := slices.DeleteFunc(n.list(), func(one edgelens.NotUnderstood) bool { return one.Device != device })
	return all[:min(len(all), maxOfDevice)]
}
