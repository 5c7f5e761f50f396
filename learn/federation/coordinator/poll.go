package coordinator

import (
	"fmt"
	"maps"
	"time"

	"edgelens/learn/federation"
)

// aliveFactor is after how many intervals of polling without a message a node counts as gone, and minAlive the shortest time
// for that.
const (
	aliveFactor = 4
	minAlive    = 2 * time.Second
	// saveEvery is how old the saved numbers of messages may get: after a crash, those that came since could be taken again.
	saveEvery = time.Minute
)

// poll takes what a node announces, and returns the signed answer with its task.
func (c *Coordinator) poll(message []byte) ([]byte, error) {
	var p federation.Poll
	name, err := c.open(federation.KindPoll, message, &p)
	if err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.state.Members[name]
	if m == nil {
		return nil, &federation.Refusal{Reason: federation.UnknownNode, Detail: "the node was removed"}
	}
	if p.Seq <= m.Last.Seq {
		return nil, &federation.Refusal{Reason: federation.Replay, Detail: fmt.Sprintf("its number %d is not above the last one, %d", p.Seq, m.Last.Seq)}
	}
	changed := announcesOther(m.Last, p)
	m.Last, c.seen[name] = p, c.parts.Now()
	if err := c.adopt(p); err != nil {
		return nil, err
	}
	if changed || c.parts.Now().Sub(c.savedAt) >= saveEvery {
		if err := c.save(); err != nil {
			return nil, err
		}
	}
	c.checkStandings()
	c.advance()
	answer := federation.Answer{Node: name, Seq: p.Seq, Definition: c.announced(), Wait: c.state.Definition.Settings.Poll, Task: c.taskOf(name)}
	if c.state.Head.Version > 1 {
		answer.Live = c.state.Head
	}
	return federation.Seal(c.parts.Keys, federation.KindAnswer, answer)
}

// announcesOther reports whether a poll differs from the one before in more than its number, so that it is worth a write.
func announcesOther(before, now federation.Poll) bool {
	if before.Seq == 0 || !maps.Equal(before.Examples, now.Examples) || (before.Standing == nil) != (now.Standing == nil) {
		return true
	}
	if now.Standing != nil && *now.Standing != *before.Standing {
		return true
	}
	return before.HeldOut != now.HeldOut || before.Extractor != now.Extractor || before.Features != now.Features || before.Unready != now.Unready || before.Live != now.Live
}

// adopt takes the extractor of the first node that has examples of every label, where the federation has none yet.
func (c *Coordinator) adopt(p federation.Poll) error {
	d := &c.state.Definition
	if d.Extractor.Digest != "" || p.Extractor.Digest == "" || p.Features == 0 || p.Total(d.Labels) == 0 {
		return nil
	}
	adopted := *d
	adopted.Extractor, adopted.Features, adopted.Fit, adopted.Region = p.Extractor, p.Features, p.Fit, p.Region
	if err := adopted.Validate(); err != nil {
		return &federation.Refusal{Reason: federation.Malformed, Detail: "its extractor cannot be used"}
	}
	c.state.Definition = adopted
	c.parts.Log.Info("extractor of the federation set by its first node", "event", "federation_extractor", "node", p.Node, "digest", p.Extractor.Digest, "features", p.Features)
	c.receipt("extractor", 0, p.Node, p.Extractor)
	return c.begin()
}

// alive reports whether a node has polled lately.
func (c *Coordinator) alive(name string) bool {
	seen, ok := c.seen[name]
	limit := max(minAlive, aliveFactor*time.Duration(c.state.Definition.Settings.Poll))
	return ok && c.parts.Now().Sub(seen) <= limit
}

// fits reports whether a member has the extractor of the federation, and sees images as it does.
func (c *Coordinator) fits(m *member) bool {
	d := c.state.Definition
	return d.Features > 0 && m.Last.Extractor.Digest == d.Extractor.Digest && m.Last.Features == d.Features && m.Last.Fit == d.Fit && m.Last.Region == d.Region
}

// obstacle returns why a member cannot be asked to train; empty where it can.
func (c *Coordinator) obstacle(name string) string {
	m := c.state.Members[name]
	switch total := m.Last.Total(c.state.Definition.Labels); {
	case !c.alive(name):
		return "has not polled lately"
	case m.Last.Unready != "":
		return m.Last.Unready
	case m.Last.Extractor.Digest == "":
		return "has no examples"
	case !c.fits(m):
		return "has another extractor or view of the image"
	case total < c.state.Definition.Settings.MinExamples:
		return fmt.Sprintf("has %d examples to train on; %d are needed", total, c.state.Definition.Settings.MinExamples)
	}
	return ""
}
