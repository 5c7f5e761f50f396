package coordinator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"edgelens/learn/fedavg"
	"edgelens/learn/federation"
	"edgelens/learn/head"
	"edgelens/learn/masking"
	"edgelens/learn/softmax"
)

// endTraining makes a candidate of the updates that were accepted.
func (c *Coordinator) endTraining(r *round) {
	s := c.state.Definition.Settings
	for _, name := range r.names() {
		r.drop(name, "sent no update before the deadline")
	}
	names := r.accepted()
	var err error
	switch {
	case s.Secure && len(names) < len(r.Members):
		// The masks of those that are missing remain in the sum.
		for _, name := range r.names() {
			if !slices.Contains(names, name) {
				c.state.Skip = append(c.state.Skip, name)
			}
		}
		c.fail(r, fmt.Sprintf("%d of %d nodes sent no update, so that the masks of the others do not cancel; the round is repeated without them", len(r.Members)-len(names), len(r.Members)))
		c.state.NextAt = c.parts.Now().UTC()
		return
	case len(names) < s.MinNodes:
		c.fail(r, fmt.Sprintf("%d updates were accepted; %d are needed", len(names), s.MinNodes))
		return
	}
	if err = c.aggregate(r, names); err != nil {
		c.fail(r, err.Error())
		return
	}
	c.state.Candidates++
	r.Phase, r.Scorers = phaseCanary, map[string]*scorer{}
	r.Deadline = c.parts.Now() // no canary is chosen yet
	c.receipt("aggregated", r.Number, "", map[string]any{"candidate": r.Candidate, "nodes": names, "method": methodOf(s, len(r.Parties)), "secure": s.Secure, "norm": r.Norm})
}

// aggregate adds the mean of the updates to the base, and stores the candidate.
func (c *Coordinator) aggregate(r *round, names []string) error {
	base, err := c.readHead(r.Base)
	if err != nil {
		return err
	}
	params, err := c.mean(r, names, base.Params)
	if err != nil {
		return err
	}
	if params, err = c.accelerate(params, base.Params); err != nil {
		return err
	}
	change, err := fedavg.Difference(params, base.Params)
	if err != nil {
		return err
	}
	r.Norm = fedavg.Norm(change)
	r.LossBefore, r.LossAfter = c.losses(r, names)
	candidate := c.candidate(base, params, r, names)
	r.Candidate, err = c.storeHead(candidate, r.Number)
	return err
}

// candidate returns the head with new parameters. Its version is one above the number of its round: the first head has 1.
func (c *Coordinator) candidate(base *head.Head, params softmax.Params, r *round, names []string) *head.Head {
	h := *base
	h.Version, h.Params, h.Threshold, h.Examples, h.CreatedAt = r.Number+1, params, c.state.Definition.Settings.Threshold, 0, c.parts.Now().UTC().Truncate(time.Second)
	for _, name := range names {
		h.Examples += r.Parties[name].Update.Examples
	}
	return &h
}

// mean returns the base with the mean of the updates added.
func (c *Coordinator) mean(r *round, names []string, base softmax.Params) (softmax.Params, error) {
	s := c.state.Definition.Settings
	if s.Secure {
		return c.maskedMean(r, names, base)
	}
	updates := make([]fedavg.Update, 0, len(names))
	for _, name := range names {
		data, err := c.uploads.read(r.Parties[name].Ticket)
		if err != nil {
			return base, err
		}
		difference, err := federation.DecodeUpdate(data, base.Classes, base.Features)
		if err != nil {
			return base, err
		}
		updates = append(updates, fedavg.Update{Difference: difference, Examples: r.Parties[name].Update.Examples})
	}
	params, refusals, err := fedavg.Aggregate(base, updates, rule(s, len(base.Values), len(r.Parties)))
	return params, cmp.Or(err, errors.Join(refusals...))
}

// accelerate adds the momentum of the coordinator, where there is a head before the base.
func (c *Coordinator) accelerate(params, base softmax.Params) (softmax.Params, error) {
	momentum := c.state.Definition.Settings.Momentum
	if momentum == 0 || c.state.Previous.Version == 0 {
		return params, nil
	}
	previous, err := c.readHead(c.state.Previous)
	if err != nil {
		return params, err
	}
	return fedavg.Accelerate(params, base, previous.Params, momentum)
}

// maskedMean returns the base with the mean of masked updates added.
func (c *Coordinator) maskedMean(r *round, names []string, base softmax.Params) (softmax.Params, error) {
	shares := make([][]uint64, 0, len(names))
	for _, name := range names {
		data, err := c.uploads.read(r.Parties[name].Ticket)
		if err != nil {
			return base, err
		}
		share, err := federation.DecodeShare(data, base.Classes, base.Features)
		if err != nil {
			return base, err
		}
		shares = append(shares, share)
	}
	mean, _, err := masking.Sum(shares, len(r.Members))
	if err != nil {
		return base, err
	}
	params := base.Clone()
	for i, v := range mean {
		params.Values[i] += v
	}
	return params, params.Check()
}

// losses returns the means of the losses before and after the training, weighted like the updates.
func (c *Coordinator) losses(r *round, names []string) (before, after float64) {
	weights := 0.0
	for _, name := range names {
		u := r.Parties[name].Update
		weight := float64(min(u.Examples, c.state.Definition.Settings.MaxWeight))
		before, after, weights = before+weight*u.LossBefore, after+weight*u.LossAfter, weights+weight
	}
	return before / weights, after / weights
}
