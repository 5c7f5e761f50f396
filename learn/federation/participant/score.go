package participant

import (
	"context"
	"fmt"

	"edgelens"
	"edgelens/learn/federation"
)

// score scores a candidate and its base on the held-out examples, and sends the counts.
func (p *Participant) score(ctx context.Context, to *client, task federation.Task, read examples) error {
	p.doing(fmt.Sprintf("scores the candidate of round %d", task.Round))
	s := p.snapshot()
	base, err := p.head(ctx, to, s, task.Base)
	if err != nil {
		return err
	}
	candidate, err := p.head(ctx, to, s, task.Candidate)
	if err != nil {
		return err
	}
	if read.heldOut.Len() > 0 && read.features != candidate.Params.Features {
		return fmt.Errorf("%w: the head is for embeddings of %d numbers, and those here have %d", edgelens.ErrConflict, candidate.Params.Features, read.features)
	}
	score := federation.Score{
		Node: s.Node, Round: task.Round, Candidate: task.Candidate.Digest,
		Examples: read.heldOut.Len(), Right: right(candidate.Params, read.heldOut),
	}
	if task.Base.Version > 1 {
		score.Base = right(base.Params, read.heldOut)
	}
	message, err := federation.Seal(p.parts.Keys, federation.KindScore, score)
	if err != nil {
		return err
	}
	if _, err := to.send(ctx, "/tasks/"+task.Ticket+"/score", message); err != nil {
		return err
	}
	p.receipt("score", task.Round, score)
	return nil
}

// standing returns how the live head and the one before do on the held-out examples, nil where there are no two, and goes
// back to the one before where it does better.
func (p *Participant) standing(ctx context.Context, s state, read examples) (*federation.Standing, error) {
	live, err := p.kept(s, s.Live)
	if err != nil {
		return nil, err
	}
	before, err := p.kept(s, s.Before)
	if err != nil || live == nil || before == nil || read.heldOut.Len() == 0 || read.features != live.Params.Features {
		return nil, err
	}
	standing := &federation.Standing{Examples: read.heldOut.Len(), Right: right(live.Params, read.heldOut), Before: right(before.Params, read.heldOut), RolledBack: s.RolledBack}
	if s.RolledBack || !federation.Worse(standing.Examples, standing.Right, standing.Before, s.Definition.Settings.MaxDrop) {
		return standing, nil
	}
	if err := p.parts.Heads.Rollback(ctx, s.Head); err != nil {
		return nil, fmt.Errorf("go back to the head before: %w", err)
	}
	if err := p.change(func(s *state) { s.RolledBack = true }); err != nil {
		return nil, err
	}
	standing.RolledBack = true
	p.metrics.rollbacks.Inc()
	p.parts.Log.Warn("head rolled back: it does worse on the held-out examples of this node than the one before", "event", "federation_rolled_back",
		"head", s.Head, "examples", standing.Examples, "right", standing.Right, "right_before", standing.Before)
	p.receipt("rolled_back", s.Live.Version-1, map[string]any{"from": s.Live, "to": s.Before, "scores": standing})
	return standing, nil
}

// Condition returns the condition of the service where the coordinator has been unreachable for long; false where it is
// not.
func (p *Participant) Condition() (edgelens.Condition, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := p.parts.Now().Sub(p.now.contact)
	if p.state.URL == "" || since <= p.parts.Config.UnreachableAfter {
		return edgelens.Condition{}, false
	}
	return edgelens.Condition{Name: "federation", Severity: edgelens.SeverityDegraded, Reason: fmt.Sprintf(
		"the coordinator of the federation has given no answer that can be used since %s: %s; images are recognized by the head of before, and `edgelens federation leave` ends the part in it",
		p.now.contact.UTC().Format("2006-01-02T15:04:05Z"), p.now.problem)}, true
}
