// Package pkitest has certificate authorities for tests.
package pkitest

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgelens/identity/keys"
	"edgelens/identity/pki"
	"edgelens/internal/certificate"
)

// Site is a certificate authority with this machine's certificate.
type Site struct {
	*pki.Authority
	// Folder has its files.
	Folder string
	// Ahead is by how much its clock is.
	Ahead time.Duration

	t testing.TB
}

// New makes an authority.
func New(t testing.TB) *Site {
	t.Helper()
	s := &Site{Folder: filepath.Join(t.TempDir(), "identity"), t: t}
	var err error
	s.Authority, err = pki.Open(t.Context(), pki.Parts{
		Folder: s.Folder, Store: NewStore(), Node: "0a1b", Hosts: func() []string { return []string{"localhost", "127.0.0.1"} }, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(s.Ahead) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "test", nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// Node returns the files of this machine's certificate.
func (s *Site) Node() certificate.Files {
	return certificate.Files{Certificate: filepath.Join(s.Folder, pki.NodeCertificateFile), Key: filepath.Join(s.Folder, pki.NodeKeyFile)}
}

// CAFile is the file of the authority's certificate.
func (s *Site) CAFile() string { return filepath.Join(s.Folder, pki.CertificateFile) }

// Device enrolls a device with a new key, for that long, and returns its files.
func (s *Site) Device(id string, validity time.Duration) certificate.Files {
	s.t.Helper()
	files := certificate.Files{Certificate: filepath.Join(s.t.TempDir(), "device.pem"), Key: filepath.Join(s.t.TempDir(), "device.key")}
	key, err := keys.LoadOrNew(files.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	csr, err := pki.NewRequest(key, id)
	if err != nil {
		s.t.Fatal(err)
	}
	issued, err := s.Enroll(s.t.Context(), id, csr, validity)
	if err != nil {
		s.t.Fatal(err)
	}
	chain, err := s.Chain(issued)
	if err == nil {
		err = os.WriteFile(files.Certificate, chain, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}
