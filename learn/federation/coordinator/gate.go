package coordinator

import (
	"fmt"
	"maps"
	"slices"

	"edgelens/learn/federation"
)

// worse reports whether the accuracy is below that of the base by more than the settings allow.
func (c *Coordinator) worse(t tally) bool {
	return federation.Worse(t.Examples, t.Right, t.Base, c.state.Definition.Settings.MaxDrop)
}

// scores returns the sum of the scores of a round.
func (c *Coordinator) scores(r *round) tally {
	var all []tally
	for _, s := range r.Scorers {
		if s.Score != nil {
			all = append(all, s.tally())
		}
	}
	return sum(all, c.state.Definition.Settings)
}

// tally is the score of one node.
func (s *scorer) tally() tally { return tally{1, s.Score.Examples, s.Score.Right, s.Score.Base} }

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
			c.finish(r, outcomeRejected, fmt.Sprintf("the canary node %s finds it worse: %v", name, s.tally()))
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
	return s.Score.Examples == 0 || c.worse(s.tally())
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
	t := c.scores(r)
	if c.worse(t) {
		c.finish(r, outcomeRejected, fmt.Sprintf("the nodes find it worse: %v", t))
		return
	}
	c.state.Previous, c.state.Head = c.state.Head, r.Candidate
	for _, m := range c.state.Members {
		m.Last.Standing = nil // of the head before
	}
	c.finish(r, outcomeLive, t.String())
}

// checkStandings takes the live head back where it does worse than the one before on the held-out examples of the nodes as they
// are now.
func (c *Coordinator) checkStandings() {
	if c.state.Previous.Version == 0 || c.state.Round != nil {
		return
	}
	var all []tally
	for _, m := range c.state.Members {
		if m.Last.Standing != nil && m.Last.Live == c.state.Head.Digest {
			all = append(all, tally{1, m.Last.Standing.Examples, m.Last.Standing.Right, m.Last.Standing.Before})
		}
	}
	t := sum(all, c.state.Definition.Settings)
	if t.Nodes == 0 || !c.worse(t) {
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
