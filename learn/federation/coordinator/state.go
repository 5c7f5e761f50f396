package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/atomicfile"
	"edgelens/learn/federation"
	"edgelens/learn/head"
)

// The files of the folder.
const (
	stateFile     = "federation.json"
	receiptsFile  = "receipts.jsonl"
	headsFolder   = "heads"
	uploadsFolder = "uploads"
	roundsFolder  = "rounds"
)

// state is the form of stateFile.
type state struct {
	Definition  federation.Definition `json:"definition"`
	Members     map[string]*member    `json:"members"`
	Invitations map[string]invitation `json:"invitations"` // by the name of the node
	// Head is the present one, from which rounds begin; version 1 is the first, which is of no use. Previous is the one
	// before; zero for none.
	Head     federation.Ref `json:"head"`
	Previous federation.Ref `json:"previous"`
	// Rounds counts those that began, and Candidates those that gave one.
	Rounds     int `json:"rounds"`
	Candidates int `json:"candidates"`
	// Round is in progress; nil for none. The next one begins at NextAt at the earliest.
	Round  *round    `json:"round,omitempty"`
	NextAt time.Time `json:"next_at"`
	// Closed are the tickets of the round before, with their nodes: what comes by them is late.
	Closed map[string]string `json:"closed,omitempty"`
	// Skip are nodes that dropped out of the round before, where that cost it.
	Skip []string `json:"skip,omitempty"`
	// KeyID is the id of the key that nodes know.
	KeyID string `json:"key_id,omitempty"`
	// Receipts is how many there were at least when this was saved.
	Receipts int64 `json:"receipts,omitempty"`
}

// member is a node that has joined.
type member struct {
	Key    json.RawMessage `json:"key"`
	KeyID  string          `json:"key_id"`
	Joined time.Time       `json:"joined"`
	// Place counts the members in the order in which they joined.
	Place int `json:"place"`
	// Last is what it announced last.
	Last federation.Poll `json:"last"`
}

// invitation is a token that can be used once, or was: then UsedBy is the id of the key, so that a node whose answer was
// lost can ask again.
type invitation struct {
	Hash    string    `json:"hash"`
	Expires time.Time `json:"expires"`
	UsedBy  string    `json:"used_by,omitempty"`
}

// readState returns the state in a folder. The error wraps ErrNotFound where there is none.
func readState(folder string) (s state, err error) {
	text, err := os.ReadFile(filepath.Join(folder, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%w: there is no federation in %s; `edgelens federation serve --head NAME --labels A,B` begins one", edgelens.ErrNotFound, folder)
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("read the federation in %s: %w: %w", folder, edgelens.ErrInvalid, err)
	}
	return s, nil
}

// save writes the state durably. Where that fails, the state is again what was saved before: what a crash would undo has not
// happened, and no answer goes out. The lock must be held, but in Open.
func (c *Coordinator) save() error {
	if c.receipts != nil {
		c.state.Receipts = c.receipts.Seq()
	}
	text, err := json.MarshalIndent(c.state, "", " ")
	if err == nil {
		err = atomicfile.Write(filepath.Join(c.parts.Folder, stateFile), text, 0o600)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("save the federation: %w: %w", edgelens.ErrStorage, err), c.revert())
	}
	c.saved, c.savedAt = text, c.parts.Now()
	return nil
}

// revert goes back to the state that was saved, but for the numbers of messages, which must not be taken again.
func (c *Coordinator) revert() error {
	if c.saved == nil {
		return nil // in Open
	}
	var before state
	if err := json.Unmarshal(c.saved, &before); err != nil {
		return fmt.Errorf("go back to what was saved: %w", err)
	}
	for name, m := range before.Members {
		if now := c.state.Members[name]; now != nil {
			m.Last.Seq = max(m.Last.Seq, now.Last.Seq)
		}
	}
	c.state = before
	return nil
}

// storeHead signs and stores a head, durably.
func (c *Coordinator) storeHead(h *head.Head, of int) (federation.Ref, error) {
	digest, err := h.Digest()
	if err != nil {
		return federation.Ref{}, err
	}
	text, err := h.Marshal()
	if err != nil {
		return federation.Ref{}, err
	}
	ref := federation.Ref{Version: h.Version, Digest: digest}
	signed, err := federation.Seal(c.parts.Keys, federation.KindHead, federation.SignedHead{Round: of, Ref: ref, Head: text})
	if err != nil {
		return ref, err
	}
	if err := atomicfile.Write(c.headFile(digest), signed, 0o600); err != nil {
		return ref, fmt.Errorf("store a head: %w: %w", edgelens.ErrStorage, err)
	}
	return ref, nil
}

// headFile returns the name of the file of a head, whose digest must be one of ours.
func (c *Coordinator) headFile(digest string) string {
	return filepath.Join(c.parts.Folder, headsFolder, strings.TrimPrefix(digest, "sha256:")+".json")
}

// readHead returns a stored head. Its digest shows that it is the one: the key that signed it may have been rotated since.
func (c *Coordinator) readHead(ref federation.Ref) (*head.Head, error) {
	text, err := os.ReadFile(c.headFile(ref.Digest))
	if err != nil {
		return nil, fmt.Errorf("read head %d: %w: %w", ref.Version, edgelens.ErrStorage, err)
	}
	var signed federation.SignedHead
	if err := federation.Peek(text, &signed); err != nil {
		return nil, fmt.Errorf("read head %d: %w", ref.Version, err)
	}
	h, err := head.Unmarshal(signed.Head)
	if err != nil {
		return nil, fmt.Errorf("read head %d: %w", ref.Version, err)
	}
	if digest, err := h.Digest(); err != nil || digest != ref.Digest {
		return nil, errors.Join(fmt.Errorf("read head %d: %w: its file has another one", ref.Version, edgelens.ErrStorage), err)
	}
	return h, nil
}

// sweep removes the heads and uploads that the saved state does not refer to, and what a crash has left of files that were being
// written. What remains by an error is removed the next time. The lock must be held, but in Open.
func (c *Coordinator) sweep() {
	used := map[string]bool{c.headFile(c.state.Head.Digest): true, c.headFile(c.state.Previous.Digest): true}
	if r := c.state.Round; r != nil {
		used[c.headFile(r.Base.Digest)], used[c.headFile(r.Candidate.Digest)] = true, true
		for _, p := range r.Parties {
			used[c.uploads.path(p.Ticket)] = true
		}
	}
	for _, pattern := range []string{headsFolder + "/*", uploadsFolder + "/*", roundsFolder + "/.new-*", ".new-*"} {
		files, _ := filepath.Glob(filepath.Join(c.parts.Folder, pattern))
		for _, file := range files {
			if !used[file] {
				_ = os.Remove(file)
			}
		}
	}
}
