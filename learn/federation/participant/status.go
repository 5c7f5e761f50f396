package participant

import (
	"time"

	"edgelens/learn/federation"
)

// Status is the part of a node in a federation, for people and programs. Names of its JSON are added and never changed.
type Status struct {
	Joined bool `json:"joined"`
	// URL is the address of the coordinator, KeyID the id of its key, and Node the name of this node there.
	URL     string `json:"url"`
	KeyID   string `json:"key_id"`
	Node    string `json:"node"`
	Dataset string `json:"dataset"`
	Head    string `json:"head"`
	// Definition is that of the federation.
	Definition *federation.Definition `json:"definition"`
	// Examples is how many examples it trains on, by label, and HeldOut how many it never does.
	Examples map[string]int `json:"examples"`
	HeldOut  int            `json:"held_out"`
	// Contact is when the coordinator last answered, Problem why it did not since, and Unready why the node does not take part.
	Contact time.Time `json:"contact,omitzero"`
	Problem string    `json:"problem"`
	Unready string    `json:"unready"`
	Doing   string    `json:"doing"`
	// Live is the head of the federation that was installed last, as Version of the head here.
	Live       federation.Ref `json:"live"`
	Version    int            `json:"version"`
	RolledBack bool           `json:"rolled_back"`
	// Updates counts the updates that were made, and Epsilon with Delta is what they reveal at most; nil where one was made
	// without noise, which gives no bound.
	Updates int      `json:"updates"`
	Epsilon *float64 `json:"epsilon"`
	Delta   float64  `json:"delta"`
}

// Status returns the present state.
func (p *Participant) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	status := Status{Joined: s.URL != "", Examples: map[string]int{}, Delta: s.Definition.Settings.Delta}
	for _, count := range s.Spent {
		status.Updates += count
	}
	if epsilon, ok := epsilonOf(s, 0); ok {
		status.Epsilon = &epsilon
	}
	if !status.Joined {
		return status
	}
	definition := s.Definition
	status.URL, status.Node, status.Dataset, status.Head, status.Definition = s.URL, s.Node, s.Dataset, s.Head, &definition
	status.KeyID, _ = p.parts.Keys.KeyID(s.Coordinator) // it was valid when the node joined
	for label, count := range p.examples.counts {
		status.Examples[label] = count
	}
	status.HeldOut = p.examples.heldOut.Len()
	status.Contact, status.Problem, status.Unready, status.Doing = p.now.contact, p.now.problem, p.now.unready, p.now.doing
	status.Live, status.Version, status.RolledBack = s.Live, s.Version, s.RolledBack
	return status
}
