package terminal

import (
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/clip"
)

// maxTopic is the maximum length of a topic in a list.
const maxTopic = 200

// reasonList lists messages that were not understood, by topic and reason. When full, it
// evicts the one not seen for the longest time. It is safe for use by many goroutines.
type reasonList struct {
	max int

	mu   sync.Mutex
	seen map[topicReason]*edgelens.NotUnderstood
}

type topicReason struct{ topic, reason string }

func newReasonList(limit int) *reasonList {
	return &reasonList{max: limit, seen: map[topicReason]*edgelens.NotUnderstood{}}
}

// add records a message that was not understood.
func (l *reasonList) add(msg item, device, reason string, now time.Time) {
	topic := clip.ASCII(msg.Topic, maxTopic)
	l.mu.Lock()
	defer l.mu.Unlock()
	key := topicReason{topic, reason}
	found := l.seen[key]
	if found == nil {
		if len(l.seen) >= l.max {
			l.forget()
		}
		found = &edgelens.NotUnderstood{Topic: topic, Device: device, Reason: reason, First: now}
		if msg.dialect != nil {
			found.Dialect = msg.dialect.Name()
		}
		l.seen[key] = found
	}
	found.Count++
	found.Last = now
	found.Excerpt = excerpt(msg.Payload)
}

// forget removes the one not seen for the longest time.
func (l *reasonList) forget() {
	var oldest topicReason
	var at time.Time
	for key, msg := range l.seen {
		if at.IsZero() || msg.Last.Before(at) {
			oldest, at = key, msg.Last
		}
	}
	delete(l.seen, oldest)
}

// list returns all, the latest first.
func (l *reasonList) list() []edgelens.NotUnderstood {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]edgelens.NotUnderstood, 0, len(l.seen))
	for _, msg := range l.seen {
		all = append(all, *msg)
	}
	slices.SortFunc(all, func(a, b edgelens.NotUnderstood) int { return b.Last.Compare(a.Last) })
	return all
}
