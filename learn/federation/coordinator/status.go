package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"edgelens"
	"edgelens/learn/federation"
)

// Status is the state of a federation, for people and programs. Names of its JSON are added and never changed.
type Status struct {
	Definition federation.Definition `json:"definition"`
	// Head is the present one; version 1 is the first, which is of no use.
	Head       federation.Ref `json:"head"`
	Previous   federation.Ref `json:"previous"`
	Rounds     int            `json:"rounds"`
	Candidates int            `json:"candidates"`
	Members    []MemberStatus `json:"members"`
	Invited    []string       `json:"invited"`
	Round      *RoundStatus   `json:"round"`
	NextAt     time.Time      `json:"next_at"`
	KeyID      string         `json:"key_id"`
}

// MemberStatus is a node that has joined.
type MemberStatus struct {
	Name     string    `json:"name"`
	KeyID    string    `json:"key_id"`
	Joined   time.Time `json:"joined"`
	Alive    bool      `json:"alive"`
	Examples int       `json:"examples"`
	HeldOut  int       `json:"held_out"`
	// Obstacle is why it cannot be asked; empty where it can.
	Obstacle string `json:"obstacle"`
	// RolledBack is true where it went back to the head before.
	RolledBack bool `json:"rolled_back"`
}

// RoundStatus is a round.
type RoundStatus struct {
	Number     int            `json:"number"`
	Phase      string         `json:"phase"`
	Started    time.Time      `json:"started"`
	Ended      time.Time      `json:"ended,omitzero"`
	Base       federation.Ref `json:"base"`
	Candidate  federation.Ref `json:"candidate"`
	Outcome    string         `json:"outcome,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	LossBefore float64        `json:"loss_before"`
	LossAfter  float64        `json:"loss_after"`
	Norm       float64        `json:"norm"`
	Left       string         `json:"left,omitempty"`
	Nodes      []NodeStatus   `json:"nodes"`
	Scores     []ScoreStatus  `json:"scores"`
}

// NodeStatus is a node that was asked to train.
type NodeStatus struct {
	Name     string  `json:"name"`
	State    string  `json:"state"`
	Reason   string  `json:"reason,omitempty"`
	Received int64   `json:"received"`
	Bytes    int64   `json:"bytes"`
	Examples int     `json:"examples"`
	Norm     float64 `json:"norm"`
}

// ScoreStatus is a node that was asked to score a candidate.
type ScoreStatus struct {
	Name     string `json:"name"`
	Canary   bool   `json:"canary"`
	Answered bool   `json:"answered"`
	Examples int    `json:"examples"`
	Right    int    `json:"right"`
	Base     int    `json:"base"`
}

// Status returns the present state.
func (c *Coordinator) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{
		Definition: c.state.Definition, Head: c.state.Head, Previous: c.state.Previous, Rounds: c.state.Rounds, Candidates: c.state.Candidates,
		Members: []MemberStatus{}, Invited: []string{}, NextAt: c.state.NextAt, KeyID: c.keyID,
	}
	for _, name := range c.names() {
		m := c.state.Members[name]
		s.Members = append(s.Members, MemberStatus{
			Name: name, KeyID: m.KeyID, Joined: m.Joined, Alive: c.alive(name), Examples: m.Last.Total(c.state.Definition.Labels), HeldOut: m.Last.HeldOut,
			Obstacle: c.obstacle(name), RolledBack: m.Last.Standing != nil && m.Last.Standing.RolledBack,
		})
	}
	for name := range c.state.Invitations {
		if c.state.Members[name] == nil {
			s.Invited = append(s.Invited, name)
		}
	}
	slices.Sort(s.Invited)
	if r := c.state.Round; r != nil {
		status := c.roundStatus(r)
		status.Left = max(0, r.Deadline.Sub(c.parts.Now())).Round(time.Second).String()
		s.Round = &status
	}
	return s
}

func (c *Coordinator) roundStatus(r *round) RoundStatus {
	s := RoundStatus{
		Number: r.Number, Phase: r.Phase, Started: r.Started, Ended: r.Ended, Base: r.Base, Candidate: r.Candidate, Outcome: r.Outcome, Reason: r.Reason,
		LossBefore: r.LossBefore, LossAfter: r.LossAfter, Norm: r.Norm, Nodes: []NodeStatus{}, Scores: []ScoreStatus{},
	}
	for _, name := range r.names() {
		p := r.Parties[name]
		n := NodeStatus{Name: name, State: p.State, Reason: p.Reason, Bytes: c.updateBytes()}
		if p.Update != nil {
			n.Received, n.Bytes, n.Examples, n.Norm = p.Update.Bytes, p.Update.Bytes, p.Update.Examples, p.Update.Norm
		} else if r.Outcome == "" {
			n.Received, _ = c.uploads.received(p.Ticket) // 0 where it cannot be read
		}
		s.Nodes = append(s.Nodes, n)
	}
	for name, asked := range r.Scorers {
		one := ScoreStatus{Name: name, Canary: asked.Canary, Answered: asked.Score != nil}
		if asked.Score != nil {
			one.Examples, one.Right, one.Base = asked.Score.Examples, asked.Score.Right, asked.Score.Base
		}
		s.Scores = append(s.Scores, one)
	}
	slices.SortFunc(s.Scores, func(a, b ScoreStatus) int {
		if a.Canary != b.Canary {
			if a.Canary {
				return -1
			}
			return 1
		}
		return slices.Compare([]string{a.Name}, []string{b.Name})
	})
	return s
}

// Rounds returns the newest rounds that ended, the oldest of them first, limit at most.
func (c *Coordinator) Rounds(limit int) ([]RoundStatus, error) {
	files, err := filepath.Glob(filepath.Join(c.parts.Folder, roundsFolder, "[0-9]*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	rounds := []RoundStatus{}
	for _, file := range files[max(0, len(files)-limit):] {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var r round
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w: %w", file, edgelens.ErrStorage, err)
		}
		c.mu.Lock()
		rounds = append(rounds, c.roundStatus(&r))
		c.mu.Unlock()
	}
	return rounds, nil
}
