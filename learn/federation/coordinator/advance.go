package coordinator

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"edgelens/internal/atomicfile"
	"edgelens/learn/federation"
)

// advance goes on to the next phase where the present one is done or its deadline has passed, and begins a round where one
// can. The lock must be held.
func (c *Coordinator) advance() {
	if c.parts.Now().Before(c.stuckUntil) {
		return
	}
	for range 8 { // a phase may be done as soon as it begins
		if !c.step() {
			return
		}
		if err := c.save(); err != nil {
			c.parts.Log.Error("the federation cannot go on", "event", "federation_storage", "error", err)
			c.stuckUntil = c.parts.Now().Add(stuckWait)
			return
		}
		if c.state.Round == nil { // it ended
			c.sweep()
		}
	}
}

// step makes at most one change, and reports whether it did.
func (c *Coordinator) step() bool {
	r := c.state.Round
	if r == nil {
		return c.beginRound()
	}
	now := c.parts.Now()
	if left := r.Deadline.Sub(now); left > time.Duration(c.state.Definition.Settings.Deadline) {
		r.Deadline = now.Add(time.Duration(c.state.Definition.Settings.Deadline)) // the clock was set back
	}
	over := !now.Before(r.Deadline)
	switch r.Phase {
	case phaseKeys:
		return c.stepKeys(r, over)
	case phaseTrain:
		if over || !r.waitsForParty() {
			c.endTraining(r)
			return true
		}
	case phaseCanary:
		return c.stepCanary(r, over)
	case phaseGate:
		if over || !r.waitsForScorer() {
			c.endGate(r)
			return true
		}
	}
	return false
}

// beginRound begins a round if enough nodes can be asked.
func (c *Coordinator) beginRound() bool {
	s := c.state.Definition.Settings
	now := c.parts.Now()
	if c.state.NextAt.Sub(now) > time.Duration(s.Pause) {
		c.state.NextAt = now.Add(time.Duration(s.Pause)) // the clock was set back, or the setting changed
	}
	if c.state.Head.Version == 0 || now.Before(c.state.NextAt) || s.Rounds > 0 && c.state.Candidates >= s.Rounds {
		return false
	}
	var able []string
	for _, name := range c.names() {
		if c.obstacle(name) == "" && !slices.Contains(c.state.Skip, name) {
			able = append(able, name)
		}
	}
	if len(able) < s.MinNodes {
		return false
	}
	number := c.state.Rounds + 1
	chosen := choose(able, s, number)
	r := &round{Number: number, Phase: phaseTrain, Started: now.UTC(), Deadline: now.Add(time.Duration(s.Deadline)).UTC(), Base: c.state.Head, Parties: map[string]*party{}}
	if s.Secure {
		r.Phase = phaseKeys
	}
	for _, name := range chosen {
		r.Parties[name] = &party{Ticket: newTicket(), State: partyAsked}
	}
	c.state.Round, c.state.Rounds, c.state.Skip, c.state.Closed = r, number, nil, nil
	c.parts.Log.Info("round began", "event", "federation_round_began", "round", number, "nodes", chosen, "base", r.Base.Version)
	c.receipt("asked", number, "", map[string]any{"nodes": chosen, "base": r.Base, "settings": s})
	return true
}

// choose returns a sample of nodes, by the seed and the number of the round, sorted.
func choose(able []string, s federation.Settings, number int) []string {
	sorted := slices.Sorted(slices.Values(able))
	random := rand.New(rand.NewPCG(uint64(s.Seed), uint64(number))) //nolint:gosec // a sample that can be repeated
	random.Shuffle(len(sorted), func(i, j int) { sorted[i], sorted[j] = sorted[j], sorted[i] })
	count := max(s.MinNodes, int(math.Ceil(s.Fraction*float64(len(sorted))-1e-9)))
	return slices.Sorted(slices.Values(sorted[:min(count, len(sorted))]))
}

// stepKeys goes on to the training once every node has sent its key for masks, or with those that did by the deadline.
func (c *Coordinator) stepKeys(r *round, over bool) bool {
	var keys [][]byte
	for _, name := range r.names() {
		switch p := r.Parties[name]; {
		case p.MaskKey != nil:
			keys = append(keys, p.MaskKey)
		case over:
			r.drop(name, "sent no key for masks")
		case p.State == partyAsked:
			return false
		}
	}
	if len(keys) < c.state.Definition.Settings.MinNodes {
		c.fail(r, fmt.Sprintf("only %d of %d nodes sent a key for masks", len(keys), len(r.Parties)))
		return true
	}
	r.Members, r.Phase, r.Deadline = keys, phaseTrain, c.nextDeadline()
	return true
}

func (c *Coordinator) nextDeadline() time.Time {
	return c.parts.Now().Add(time.Duration(c.state.Definition.Settings.Deadline)).UTC()
}

// fail ends a round without a candidate that can go live.
func (c *Coordinator) fail(r *round, reason string) { c.finish(r, outcomeFailed, reason) }

// finish ends a round. What is written before the state is written again after a crash.
func (c *Coordinator) finish(r *round, outcome, reason string) {
	now := c.parts.Now()
	r.Phase, r.Outcome, r.Reason, r.Ended = phaseDone, outcome, reason, now.UTC()
	c.state.Closed = map[string]string{}
	for name, p := range r.Parties {
		c.state.Closed[p.Ticket] = name
	}
	for name, s := range r.Scorers {
		c.state.Closed[s.Ticket] = name
	}
	if err := c.storeRound(r); err != nil {
		c.parts.Log.Error("storing a round failed", "event", "federation_storage", "round", r.Number, "error", err)
	}
	c.receipt("ended", r.Number, "", map[string]any{
		"outcome": outcome, "reason": reason, "base": r.Base, "candidate": r.Candidate, "nodes": r.accepted(), "loss_before": r.LossBefore, "loss_after": r.LossAfter, "scores": c.scores(r),
	})
	c.parts.Log.Info("round ended", "event", "federation_round_ended", "round", r.Number, "outcome", outcome, "reason", reason, "ms", now.Sub(r.Started))
	c.metrics.rounds.WithLabelValues(outcome).Inc()
	c.state.Round, c.state.NextAt = nil, now.Add(time.Duration(c.state.Definition.Settings.Pause)).UTC()
}

// roundFile is the name of the file of a round that ended.
func (c *Coordinator) roundFile(number int) string {
	return filepath.Join(c.parts.Folder, roundsFolder, fmt.Sprintf("%09d.json", number))
}

// storeRound writes a round that ended, durably.
func (c *Coordinator) storeRound(r *round) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.Write(c.roundFile(r.Number), text, 0o600)
}
