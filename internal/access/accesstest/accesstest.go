// Package accesstest has a store of keys in memory, for tests of packages that check keys.
package accesstest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"edgelens"
)

// Store keeps keys in memory. The zero value is empty. It is safe for use by many goroutines.
type Store struct {
	mu     sync.Mutex
	keys   []edgelens.StoredKey
	writes int
}

// Keys implements access.Store.
func (s *Store) Keys(context.Context) ([]edgelens.StoredKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys), nil
}

// AddKey implements access.Store.
func (s *Store) AddKey(_ context.Context, key edgelens.StoredKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.keys {
		if other.ID == key.ID || other.Name == key.Name && other.Revoked.IsZero() {
			return fmt.Errorf("%w: there is a key named %q", edgelens.ErrConflict, key.Name)
		}
	}
	s.keys = append(s.keys, key)
	return nil
}

// RevokeKey implements access.Store.
func (s *Store) RevokeKey(_ context.Context, id string, at time.Time) error {
	return s.change(id, func(k *edgelens.StoredKey) { k.Revoked = at })
}

// NoteKeyUse implements access.Store.
func (s *Store) NoteKeyUse(_ context.Context, used map[string]time.Time) error {
	for id, at := range used {
		if err := s.change(id, func(k *edgelens.StoredKey) { k.LastUsed = at }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) change(id string, do func(*edgelens.StoredKey)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	for i := range s.keys {
		if s.keys[i].ID == id {
			do(&s.keys[i])
			return nil
		}
	}
	return fmt.Errorf("%w: there is no key %s", edgelens.ErrNotFound, id)
}

// Writes returns how often a key was changed.
func (s *Store) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}
