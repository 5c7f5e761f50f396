package coordinator

import (
	"fmt"
	"maps"
	"slices"

	"edgelens/learn/federation"
)

// tally is a sum of scores.
type tally struct {
	Nodes    int `json:"nodes"`
	Examples int `json:"examples"`
	Right    int `json:"right"`
	Base     int `json:"base"`
}

// add adds a score of the candidate and the base, or of a head and the one before.
func (t *tally) add(examples, right, base int) {
	t.Nodes++
	t.Examples, t.Right, t.Base = t.Examples+examples, t.Right+right, t.Base+base
}

// worse reports whether the accuracy is below that of the base by more than maxDrop.
func (t *tally) worse(maxDrop float64) bool {
	return federation.Worse(t.Examples, t.Right, t.Base, maxDrop)
}

// String describes it for people.
func (t *tally) String() string {
	return fmt.Sprintf("%d of %d held-out examples right, %d before", t.Right, t.Examples, t.Base)
}

// scores returns the sum of the scores of a round.
func (r *round) scores() tally {
	var t tally
	for _, s := range r.Scorers {
		if s.Score != nil {
			t.add(s.Score.Examples, s.Score.Right, s.Score.Base)
		}
	}
	return t
}

// waitsForScorer reports whether a node that was asked to score may still answer.
func (r *round) waitsForScorer() bool {
	for _, s := range r.Scorers {
		if s.Score == nil && s.Gone == "" {
			return true
		}
	}
	return false
}

// stepCanary chooses the node that scores the candidate first, and ends the round if that one finds it worse. Where it does
// not answer, the next one takes its place.
func (c *Coordinator) stepCanary(r *round, over bool) bool {
	for _, name := range slices.Sorted(maps.Keys(r.Scorers)) {
		s := r.Scorers[name]
		switch {
		case s.Score != nil && c.alone(s):
			c.finish(r, outcomeRejected, fmt.Sprintf("the canary node %s finds it worse: %v", name, &tally{1, s.Score.Examples, s.Score.Right, s.Score.Base}))
			return true
		case s.Score != nil:
			c.openGate(r)
			return true
		case s.Gone == "" && !over:
			return false
		case s.Gone == "":
			s.Gone = "did not answer before the deadline"
		}
	}
	canary := c.nextCanary(r)
	if canary == "" {
		c.fail(r, "no node with held-out examples could score the candidate")
		return true
	}
	r.Scorers[canary] = &scorer{Ticket: newTicket(), Canary: true}
	r.Deadline = c.nextDeadline()
	return true
}

// alone reports whether the score of the canary ends the round.
func (c *Coordinator) alone(s *scorer) bool {
	t := tally{1, s.Score.Examples, s.Score.Right, s.Score.Base}
	return t.Examples == 0 || t.worse(c.state.Definition.Settings.MaxDrop)
}

// nextCanary returns the first node that can score and was not asked; "" for none.
func (c *Coordinator) nextCanary(r *round) string {
	names := c.names()
	if first := c.state.Definition.Settings.Canary; first != "" {
		names = append([]string{first}, names...)
	}
	for _, name := range names {
		if r.Scorers[name] == nil && c.canScore(name) {
			return name
		}
	}
	return ""
}

// canScore reports whether a node is there and has held-out examples.
func (c *Coordinator) canScore(name string) bool {
	m := c.state.Members[name]
	return m != nil && c.alive(name) && c.fits(m) && m.Last.HeldOut > 0
}

// openGate asks the other nodes to score the candidate.
func (c *Coordinator) openGate(r *round) {
	for _, name := range c.names() {
		if r.Scorers[name] == nil && c.canScore(name) {
			r.Scorers[name] = &scorer{Ticket: newTicket()}
		}
	}
	r.Phase, r.Deadline = phaseGate, c.nextDeadline()
}

// endGate has the candidate go live, or not. Nodes that did not answer do not count.
func (c *Coordinator) endGate(r *round) {
	t := r.scores()
	if t.worse(c.state.Definition.Settings.MaxDrop) {
		c.finish(r, outcomeRejected, fmt.Sprintf("the nodes find it worse: %v", &t))
		return
	}
	c.state.Previous, c.state.Head = c.state.Head, r.Candidate
	for _, m := range c.state.Members {
		m.Last.Standing = nil // of the head before
	}
	c.finish(r, outcomeLive, fmt.Sprint(&t))
}

// checkStandings takes the live head back where it does worse than the one before on the held-out examples of the nodes as they
// are now.
func (c *Coordinator) checkStandings() {
	if c.state.Previous.Version == 0 || c.state.Round != nil {
		return
	}
	var t tally
	for _, m := range c.state.Members {
		if m.Last.Standing != nil && m.Last.Live == c.state.Head.Digest {
			t.add(m.Last.Standing.Examples, m.Last.Standing.Right, m.Last.Standing.Before)
		}
	}
	if t.Nodes == 0 || !t.worse(c.state.Definition.Settings.MaxDrop) {
		return
	}
	from := c.state.Head
	c.state.Head, c.state.Previous = c.state.Previous, federation.Ref{}
	c.parts.Log.Warn("head rolled back", "event", "federation_rolled_back", "from", from.Version, "to", c.state.Head.Version, "scores", t.String())
	c.receipt("rolled_back", from.Version-1, "", map[string]any{"from": from, "to": c.state.Head, "scores": t})
	c.metrics.rounds.WithLabelValues(outcomeRolledBack).Inc()
	if err := c.save(); err != nil {
		c.parts.Log.Error("the federation cannot go on", "event", "federation_storage", "error", err)
	}
}
