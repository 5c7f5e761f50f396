package pkitest

import (
	"context"
	"sync"
	"time"

	"edgelens"
)

// Store is a pki.Store in memory; the ledger's tests are about the real one. Its fields are for one goroutine.
type Store struct {
	mu       sync.Mutex
	BySerial map[string]edgelens.Certificate
	Tokens   map[[32]byte]edgelens.EnrolmentToken
	// Fail is the error of the methods that change something; nil for none.
	Fail error
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{BySerial: map[string]edgelens.Certificate{}, Tokens: map[[32]byte]edgelens.EnrolmentToken{}}
}

// Certificates implements pki.Store.
func (s *Store) Certificates(context.Context) (list []edgelens.Certificate, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.BySerial {
		list = append(list, c)
	}
	return list, nil
}

// AddCertificate implements pki.Store.
func (s *Store) AddCertificate(_ context.Context, c edgelens.Certificate, token *[32]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Fail != nil {
		return s.Fail
	}
	if token != nil {
		stored, ok := s.Tokens[*token]
		if !ok || !stored.Used.IsZero() {
			return edgelens.ErrUnauthorized
		}
		stored.Used = c.Issued
		s.Tokens[*token] = stored
	}
	s.BySerial[c.Serial] = c
	return nil
}

// RevokeCertificates implements pki.Store.
func (s *Store) RevokeCertificates(_ context.Context, serials []string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Fail != nil {
		return s.Fail
	}
	for _, serial := range serials {
		c := s.BySerial[serial]
		c.Revoked = at
		s.BySerial[serial] = c
	}
	return nil
}

// AddEnrolmentToken implements pki.Store.
func (s *Store) AddEnrolmentToken(_ context.Context, token edgelens.EnrolmentToken) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Tokens[token.Hash] = token
	return nil
}

// EnrolmentToken implements pki.Store.
func (s *Store) EnrolmentToken(_ context.Context, hash [32]byte) (edgelens.EnrolmentToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, ok := s.Tokens[hash]
	if !ok {
		return token, edgelens.ErrNotFound
	}
	return token, nil
}

// RemoveExpired implements pki.Store.
func (s *Store) RemoveExpired(_ context.Context, before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for serial, c := range s.BySerial {
		if c.NotAfter.Before(before) {
			delete(s.BySerial, serial)
		}
	}
	return nil
}
