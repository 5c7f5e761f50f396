package probe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edgelens/internal/atomicfile"
)

// maxPassed limits the number of notes in the folder. They can be recreated.
const maxPassed = 500

// memory holds the keys of what passed: in this process, and as a note for each in a
// folder. It is safe for concurrent use and, since a note is written to a temporary
// name and renamed, by many processes.
type memory struct {
	dir string

	mu    sync.Mutex
	known map[string]bool
}

// note is a file of the folder. Only its key is used; the rest is for people.
type note struct {
	Key     string    `json:"key"`
	Digest  string    `json:"digest"`
	Runtime string    `json:"runtime"`
	TriedAt time.Time `json:"tried_at"`
}

func (m *memory) path(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(m.dir, hex.EncodeToString(sum[:])+".json")
}

func (m *memory) has(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[key] {
		return true
	}
	if m.dir == "" {
		return false
	}
	text, err := os.ReadFile(m.path(key))
	if err != nil {
		return false
	}
	var n note
	if json.Unmarshal(text, &n) != nil || n.Key != key {
		return false
	}
	m.keep(key)
	return true
}

func (m *memory) keep(key string) {
	if m.known == nil || len(m.known) >= maxPassed {
		m.known = map[string]bool{}
	}
	m.known[key] = true
}

func (m *memory) add(key, digest, runtime string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(key)
	if m.dir == "" {
		return nil
	}
	if err := atomicfile.MakeFolder(m.dir, 0o750); err != nil {
		return err
	}
	if err := m.makeRoom(); err != nil {
		return err
	}
	text, err := json.Marshal(note{Key: key, Digest: digest, Runtime: runtime, TriedAt: time.Now().UTC()})
	if err != nil {
		return err
	}
	return atomicfile.Write(m.path(key), append(text, '\n'), 0o600)
}

// makeRoom removes notes if there are too many.
func (m *memory) makeRoom() error {
	files, err := os.ReadDir(m.dir)
	if err != nil || len(files) < maxPassed {
		return err
	}
	for _, f := range files {
		if err := os.Remove(filepath.Join(m.dir, f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
