package federation

import (
	"encoding/json"

	"edgelens"
)

// Join is the request of a node to become a member. It is signed by the key that it brings.
type Join struct {
	// Invitation names the token (Token.ID), and Proof shows that the node has it (Token.Proof).
	Invitation string          `json:"invitation"`
	Key        json.RawMessage `json:"key"`
	Proof      string          `json:"proof"`
}

// Joined is the answer to Join, signed by the coordinator.
type Joined struct {
	// Node is the name that the key is pinned to.
	Node       string     `json:"node"`
	Definition Definition `json:"definition"`
	// Key is the public key of the coordinator, whose id is in the token.
	Key json.RawMessage `json:"key"`
}

// Poll is what a node announces whenever it asks for work.
type Poll struct {
	Node string `json:"node"`
	// Seq grows with every message of the node.
	Seq int64 `json:"seq"`
	// Examples is how many examples of each label it trains on, and HeldOut how many it never does.
	Examples map[string]int `json:"examples"`
	HeldOut  int            `json:"held_out"`
	// Extractor, Features, Fit and Region are how its embeddings are made; empty where it has none.
	Extractor Model  `json:"extractor"`
	Features  int    `json:"features"`
	Fit       string `json:"fit,omitempty"`
	Region    string `json:"region,omitempty"`
	// Unready is why it does not take part now, such as that its processor is throttled; empty where it does.
	Unready string `json:"unready,omitempty"`
	// Live is the digest of the head of the federation that it installed last; empty for none. Standing are its scores.
	Live     string    `json:"live,omitempty"`
	Standing *Standing `json:"standing,omitempty"`
}

// Standing is how the head that is live on a node, and the one before, do on its held-out examples at present.
type Standing struct {
	Examples int `json:"examples"`
	Right    int `json:"right"`
	Before   int `json:"before"` // right answers of the head before
	// RolledBack is true where the node went back to the head before, as this one did worse.
	RolledBack bool `json:"rolled_back,omitempty"`
}

// Answer is the answer to Poll, signed by the coordinator.
type Answer struct {
	Node string `json:"node"`
	// Seq is that of the Poll.
	Seq        int64      `json:"seq"`
	Definition Definition `json:"definition"`
	// Live is the head that is to be used; Version 0 for none yet.
	Live Ref `json:"live"`
	// Wait is when to ask again.
	Wait Seconds `json:"wait_s"`
	// Task is nil where there is nothing to do.
	Task *Task `json:"task,omitempty"`
}

// Ref names a version of the head.
type Ref struct {
	Version int `json:"version"`
	// Digest is that of head.Head.Digest.
	Digest string `json:"digest"`
}

// The kinds of tasks.
const (
	TaskKey   = "key"   // send a public key for masks
	TaskTrain = "train" // train, and send the update
	TaskScore = "score" // score a candidate on the held-out examples
)

// Task is what a node is asked to do in a round.
type Task struct {
	Kind  string `json:"kind"`
	Round int    `json:"round"`
	// Ticket is the secret part of the task's addresses.
	Ticket string `json:"ticket"`
	// Base is the head to train from, or that is live, and Candidate the one to score.
	Base      Ref `json:"base"`
	Candidate Ref `json:"candidate"`
	// Left is the time until the deadline.
	Left Seconds `json:"left_s"`
	// Members are the public keys for masks of all nodes of the round, where it is secure.
	Members [][]byte `json:"members,omitempty"`
}

// SignedHead is a version of the head as the coordinator sends it.
type SignedHead struct {
	Round int    `json:"round"`
	Ref   Ref    `json:"ref"`
	Head  []byte `json:"head"` // the stored form of head.Head
}

// MaskKey is the public key of a node for the masks of a round.
type MaskKey struct {
	Node  string `json:"node"`
	Round int    `json:"round"`
	Key   []byte `json:"key"` // an uncompressed point of P-256
}

// Update describes the update that a node has uploaded, and has it counted.
type Update struct {
	Node  string `json:"node"`
	Round int    `json:"round"`
	// Base is the digest of the head that it was trained from.
	Base string `json:"base"`
	// SHA256 and Bytes are those of the upload.
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	// Examples is how many it was trained on, Norm its Euclidean norm as it was sent, Clipped whether it was longer, and Noise
	// the standard deviation of what was added. Norm is 0 where it is masked.
	Examples int     `json:"examples"`
	Norm     float64 `json:"norm"`
	Clipped  bool    `json:"clipped"`
	Noise    float64 `json:"noise"`
	// LossBefore and LossAfter are the mean losses on the examples it was trained on.
	LossBefore float64 `json:"loss_before"`
	LossAfter  float64 `json:"loss_after"`
}

// Score is how a candidate and its base do on the held-out examples of a node, as counts.
type Score struct {
	Node      string `json:"node"`
	Round     int    `json:"round"`
	Candidate string `json:"candidate"` // its digest
	Examples  int    `json:"examples"`
	Right     int    `json:"right"`
	// Base is how many answers of the base are right; 0 where the base is the first head, which has learned nothing.
	Base int `json:"base"`
}

// Outcome is what became of a message, signed by the coordinator.
type Outcome struct {
	Node     string `json:"node"`
	Round    int    `json:"round"`
	Accepted bool   `json:"accepted"`
	// Reason is set where it was not.
	Reason Reason `json:"reason,omitempty"`
	// SHA256 is that of the message as it was received.
	SHA256 string `json:"sha256"`
}

// Check returns an edgelens.ErrInvalid for counts that cannot be.
func (s Score) Check() error { return checkCounts(s.Examples, s.Right, s.Base) }

// Check returns an edgelens.ErrInvalid for counts that cannot be.
func (s Standing) Check() error { return checkCounts(s.Examples, s.Right, s.Before) }

func checkCounts(examples int, right ...int) error {
	for _, r := range right {
		if r < 0 || r > examples || examples > maxExamples {
			return errCounts
		}
	}
	return nil
}

// Worse reports whether so many right answers of so many examples are fewer than those of the head before by more than the
// share maxDrop. One example alone is no evidence.
func Worse(examples, right, before int, maxDrop float64) bool {
	return float64(before-right) > max(1, maxDrop*float64(examples))
}

// maxExamples is the most examples that a node can announce.
const maxExamples = 1e9

var errCounts = &Refusal{Reason: Malformed, Detail: "the counts cannot be"}

// Total returns the number of examples of these labels; others do not count.
func (p Poll) Total(labels []string) (total int) {
	for _, label := range labels {
		total += p.Examples[label]
	}
	return total
}

// Check returns a Refusal for an announcement that cannot be.
func (p Poll) Check() error {
	if len(p.Examples) > maxLabels || p.HeldOut < 0 || p.HeldOut > maxExamples || len(p.Unready) > maxText || p.Seq < 1 || p.Seq >= maxInteger {
		return errCounts
	}
	for label, count := range p.Examples {
		if count < 0 || count > maxExamples || len(label) > maxText {
			return errCounts
		}
	}
	view := edgelens.View{Fit: edgelens.Fit(p.Fit)}
	if _, err := edgelens.ParseRegion(p.Region); err != nil || view.Check() != nil || p.Features < 0 || len(p.Extractor.Name) > maxText || len(p.Extractor.Digest) > maxText {
		return &Refusal{Reason: Malformed, Detail: "its extractor cannot be"}
	}
	if p.Standing != nil {
		return p.Standing.Check()
	}
	return nil
}

const (
	maxLabels = 1000
	maxText   = 300
)
