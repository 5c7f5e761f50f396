package coordinator

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"edgelens/learn/federation"
)

// The phases of a round.
const (
	phaseKeys   = "keys"   // nodes send their public keys for masks
	phaseTrain  = "train"  // nodes train and upload
	phaseCanary = "canary" // one node scores the candidate
	phaseGate   = "gate"   // the others do
	phaseDone   = "done"
)

// The outcomes of a round.
const (
	outcomeLive       = "live"
	outcomeRejected   = "rejected" // the gate was not passed
	outcomeFailed     = "failed"   // there was no candidate, or none who could score it
	outcomeRolledBack = "rolled_back"
)

// round is a round in progress, or one that ended.
type round struct {
	Number   int            `json:"number"`
	Phase    string         `json:"phase"`
	Started  time.Time      `json:"started"`
	Deadline time.Time      `json:"deadline"`
	Ended    time.Time      `json:"ended,omitzero"`
	Base     federation.Ref `json:"base"`
	// Candidate is zero until there is one.
	Candidate federation.Ref `json:"candidate"`
	// Parties are the nodes that were asked to train, and Scorers those to score.
	Parties map[string]*party  `json:"parties"`
	Scorers map[string]*scorer `json:"scorers,omitempty"`
	// Members are the keys for masks, in the order that every node is sent.
	Members [][]byte `json:"members,omitempty"`
	// LossBefore and LossAfter are the means of the nodes', weighted like the updates; Norm is that of the change of the head.
	LossBefore float64 `json:"loss_before"`
	LossAfter  float64 `json:"loss_after"`
	Norm       float64 `json:"norm"`
	Outcome    string  `json:"outcome,omitempty"`
	Reason     string  `json:"reason,omitempty"`
}

// The states of a party.
const (
	partyAsked    = "asked"
	partyAccepted = "accepted"
	partyRefused  = "refused"
	partySilent   = "silent" // it sent nothing before the deadline
)

// party is a node that was asked to train.
type party struct {
	Ticket string `json:"ticket"`
	State  string `json:"state"`
	// Reason is why its update was refused, or it did not take part.
	Reason  string             `json:"reason,omitempty"`
	MaskKey []byte             `json:"mask_key,omitempty"`
	Update  *federation.Update `json:"update,omitempty"`
	// Message is the digest of the message that had the update accepted or refused.
	Message string `json:"message,omitempty"`
	// Refusals counts what was refused, and Spoiled the uploads that were not what the node has signed.
	Refusals int `json:"refusals,omitempty"`
	Spoiled  int `json:"spoiled,omitempty"`
}

// scorer is a node that was asked to score a candidate.
type scorer struct {
	Ticket string            `json:"ticket"`
	Canary bool              `json:"canary,omitempty"`
	Score  *federation.Score `json:"score,omitempty"`
	Gone   string            `json:"gone,omitempty"` // why none is awaited
}

// drop has a round go on without a node.
func (r *round) drop(name, why string) {
	if p := r.Parties[name]; p != nil && p.State == partyAsked {
		p.State, p.Reason = partySilent, why
	}
	if s := r.Scorers[name]; s != nil && s.Score == nil {
		s.Gone = why
	}
}

// names returns the nodes that were asked to train, sorted.
func (r *round) names() []string { return slices.Sorted(maps.Keys(r.Parties)) }

// accepted returns the nodes whose updates were, sorted.
func (r *round) accepted() (names []string) {
	for _, name := range r.names() {
		if r.Parties[name].State == partyAccepted {
			names = append(names, name)
		}
	}
	return names
}

// waitsForParty reports whether a node that was asked to train may still answer.
func (r *round) waitsForParty() bool {
	for _, p := range r.Parties {
		if p.State == partyAsked {
			return true
		}
	}
	return false
}

// newTicket returns the secret part of an address.
func newTicket() string {
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // never fails
	return hex.EncodeToString(secret[:])
}

// taskOf returns what a node is to do now; nil for nothing. The lock must be held.
func (c *Coordinator) taskOf(name string) *federation.Task {
	r := c.state.Round
	if r == nil {
		return nil
	}
	t := &federation.Task{Round: r.Number, Base: r.Base, Candidate: r.Candidate, Left: federation.Seconds(max(0, r.Deadline.Sub(c.parts.Now())))}
	p, s := r.Parties[name], r.Scorers[name]
	switch {
	case r.Phase == phaseKeys && p != nil && p.State == partyAsked && p.MaskKey == nil:
		t.Kind, t.Ticket = federation.TaskKey, p.Ticket
	case r.Phase == phaseTrain && p != nil && p.State == partyAsked:
		t.Kind, t.Ticket, t.Members = federation.TaskTrain, p.Ticket, r.Members
	case (r.Phase == phaseCanary || r.Phase == phaseGate) && s != nil && s.Score == nil && s.Gone == "":
		t.Kind, t.Ticket = federation.TaskScore, s.Ticket
	default:
		return nil
	}
	return t
}

// partyByTicket returns the node and party of a ticket. Its error is a Refusal.
func (c *Coordinator) partyByTicket(ticket string) (string, *party, error) {
	if r := c.state.Round; r != nil {
		for name, p := range r.Parties {
			if p.Ticket != ticket {
				continue
			}
			if r.Phase == phaseKeys || r.Phase == phaseTrain {
				return name, p, nil
			}
			return name, p, errLate
		}
	}
	if name, closed := c.state.Closed[ticket]; closed {
		return name, nil, errLate
	}
	return "", nil, errNoTask
}

var (
	errLate   = &federation.Refusal{Reason: federation.Late, Detail: "the deadline has passed"}
	errNoTask = &federation.Refusal{Reason: federation.NoTask, Detail: "there is no such task"}
)
