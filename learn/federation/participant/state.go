package participant

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"edgelens"
	"edgelens/internal/atomicfile"
	"edgelens/learn/federation"
)

// The files of the folder.
const (
	stateFile    = "participant.json"
	receiptsFile = "receipts.jsonl"
	updateFile   = "update"
	headsFolder  = "heads"
)

// state is the form of stateFile.
type state struct {
	// URL is the address of the coordinator; empty where the node has not joined. CA are the certificates, PEM, that are
	// trusted in place of the system's; empty for those.
	URL string `json:"url"`
	CA  string `json:"ca,omitempty"`
	// Node is the name of this node there, and Coordinator the public key of the coordinator.
	Node        string          `json:"node"`
	Coordinator json.RawMessage `json:"coordinator,omitempty"`
	// Dataset has the examples, and Head is the name of the head on this node.
	Dataset    string                `json:"dataset"`
	Head       string                `json:"head"`
	Definition federation.Definition `json:"definition"`
	// Reserved is above every number of a message that was sent.
	Reserved int64 `json:"reserved"`
	// Live is the head of the federation that was installed last, as version Version of the head on this node, and Before the
	// one before. RolledBack is true where this node went back to that.
	Live       federation.Ref `json:"live"`
	Before     federation.Ref `json:"before"`
	Version    int            `json:"version"`
	RolledBack bool           `json:"rolled_back,omitempty"`
	// Spent counts the updates that were made with each noise multiplier; "0" is without.
	Spent map[string]int `json:"spent,omitempty"`
	// Receipts is how many there were at least when this was saved.
	Receipts int64 `json:"receipts,omitempty"`
	// Pending is the update that is being sent; its values are in updateFile.
	Pending *pending `json:"pending,omitempty"`
	// MaskKey is the private key for the masks of a round.
	MaskKey *maskKey `json:"mask_key,omitempty"`
}

// pending is an update that is being sent: it is not made anew after a restart, so that the upload goes on where it stopped,
// and no second noise is spent on the same examples.
type pending struct {
	Ticket  string          `json:"ticket"`
	Round   int             `json:"round"`
	Message json.RawMessage `json:"message"`
}

// maskKey is a private key for the masks of one task. It is used once: with the same masks on two shares, their difference would be
// open. A coordinator whose folder was restored from a copy gives a number of a round again, but never a ticket.
type maskKey struct {
	Ticket string `json:"ticket"`
	Key    []byte `json:"key"`
}

// readState returns the state in a folder; that of a node that has not joined where there is none.
func readState(folder string) (s state, err error) {
	text, err := os.ReadFile(filepath.Join(folder, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("read the part in a federation in %s: %w: %w", folder, edgelens.ErrInvalid, err)
	}
	return s, nil
}

// change changes the state and saves it durably.
func (p *Participant) change(do func(*state)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changeLocked(do)
}

// changeLocked is change with the lock held.
func (p *Participant) changeLocked(do func(*state)) error {
	changed := p.state
	do(&changed)
	changed.Receipts = p.receipts.Seq()
	text, err := json.MarshalIndent(changed, "", " ")
	if err == nil {
		err = atomicfile.Write(filepath.Join(p.parts.Folder, stateFile), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("save the part in a federation: %w: %w", edgelens.ErrStorage, err)
	}
	p.state = changed
	return nil
}

// snapshot returns the state. What it refers to is not changed in place.
func (p *Participant) snapshot() state {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// sweep removes what a crash has left of files that were being written. What remains by an error is removed the next time.
func (p *Participant) sweep() {
	for _, folder := range []string{p.parts.Folder, filepath.Join(p.parts.Folder, headsFolder)} {
		files, _ := filepath.Glob(filepath.Join(folder, ".new-*"))
		for _, file := range files {
			_ = os.Remove(file)
		}
	}
}

// seqStep is how many numbers are reserved by one write.
const seqStep = 600_000

// nextSeq returns a number that is above all that were used, also after a restart, with a clock that was set back, or from an
// old backup, as long as the clock is right then.
func (p *Participant) nextSeq() (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.seq == 0 {
		p.now.seq = p.state.Reserved
	}
	p.now.seq = max(p.now.seq+1, min(p.parts.Now().UnixMilli(), maxSeq))
	if p.now.seq < p.state.Reserved {
		return p.now.seq, nil
	}
	return p.now.seq, p.changeLocked(func(s *state) { s.Reserved = p.now.seq + seqStep })
}

// maxSeq is the largest number that is taken from a clock: that of the year 5138. A wrong clock must not use up all numbers.
const maxSeq = 1e14
