package pki_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/keys"
	"edgelens/identity/pki"
	"edgelens/identity/pki/pkitest"
	"edgelens/internal/testutil"
)

// site is an authority with its parts.
type site struct {
	*pki.Authority
	t      testing.TB
	folder string
	store  *pkitest.Store
	log    *testutil.LogBuffer
	now    time.Time
	hosts  []string
	// changes are those that were reported: true for a revocation.
	changes []bool
}

// newSite returns a site, with an authority if it has a name.
func newSite(t testing.TB, name string) *site {
	t.Helper()
	s := &site{t: t, folder: filepath.Join(t.TempDir(), "identity"), store: pkitest.NewStore(), log: &testutil.LogBuffer{}, now: time.Now(), hosts: []string{"localhost", "127.0.0.1"}}
	s.open()
	if name != "" {
		if err := s.Create(t.Context(), name, nil); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// open opens the authority, as after a restart.
func (s *site) open() {
	s.t.Helper()
	var err error
	s.Authority, err = pki.Open(s.t.Context(), pki.Parts{
		Folder: s.folder, Store: s.store, Node: "0a1b", Hosts: func() []string { return s.hosts }, Log: s.log.Logger(),
		Changed: func(revoked bool) { s.changes = append(s.changes, revoked) }, Now: func() time.Time { return s.now },
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func requestOf(t testing.TB, key *ecdsa.PrivateKey, device string) []byte {
	t.Helper()
	csr, err := pki.NewRequest(key, device)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

// enroll enrolls a device with a new key.
func (s *site) enroll(device string) (edgelens.Certificate, *ecdsa.PrivateKey) {
	s.t.Helper()
	key := newKey(s.t)
	issued, err := s.Enroll(s.t.Context(), device, requestOf(s.t, key, device), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return issued, key
}

func parsed(t testing.TB, c edgelens.Certificate) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(c.DER)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestAuthority(t *testing.T) {
	s := newSite(t, "")
	for name, call := range map[string]func() error{
		"certificate": func() error { _, err := s.Certificate(); return err },
		"revocations": func() error { _, err := s.Revocations(); return err },
		"enroll": func() error {
			_, err := s.Enroll(t.Context(), "door", requestOf(t, newKey(t), "door"), 0)
			return err
		},
		"token":  func() error { _, _, err := s.NewToken(t.Context(), "door", time.Hour, 0); return err },
		"revoke": func() error { _, err := s.Revoke(t.Context(), "door"); return err },
	} {
		if err := call(); !errors.Is(err, edgelens.ErrNotFound) || !strings.Contains(err.Error(), "edgelens ca init") {
			t.Errorf("%s without an authority: %v", name, err)
		}
	}
	for _, name := range []string{"", " x", "a\nb", strings.Repeat("x", 65)} {
		if err := s.Create(t.Context(), name, nil); !errors.Is(err, edgelens.ErrInvalid) || s.Exists() {
			t.Errorf("the name %q: %v", name, err)
		}
	}
	if err := s.Create(t.Context(), "school", []string{"https://x"}); !errors.Is(err, edgelens.ErrInvalid) || s.Exists() {
		t.Errorf("a URL as a host: %v", err)
	}
	if err := s.Create(t.Context(), "school", []string{"edge.example"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "school", nil); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a second one: %v", err)
	}
	root, err := s.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if !root.IsCA || !root.MaxPathLenZero || root.Subject.CommonName != "school" || root.SignatureAlgorithm != x509.ECDSAWithSHA256 || root.SerialNumber.BitLen() < 64 ||
		root.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || root.NotBefore.After(s.now.Add(-time.Hour)) || root.NotAfter.Before(s.now.AddDate(15, 0, 0)) {
		t.Errorf("%+v", root)
	}
	node, err := s.NodeCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if node.CheckSignatureFrom(root) != nil || !slices.Equal(node.DNSNames, []string{"edge.example", "localhost"}) || node.Subject.CommonName != "edgelens-0a1b" ||
		!slices.Equal(node.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}) {
		t.Errorf("%+v", node)
	}
	for _, name := range []string{pki.KeyFile, pki.NodeKeyFile} {
		if info, err := os.Stat(filepath.Join(s.folder, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// After a restart it is the same one.
	s.open()
	if again, err := s.Certificate(); err != nil || !again.Equal(root) {
		t.Errorf("after a restart: %v", err)
	}
	// A new one, after the loss of the old one, knows nothing of what that has signed.
	s.enroll("door")
	for _, name := range []string{pki.KeyFile, pki.CertificateFile} {
		if err := os.Remove(filepath.Join(s.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.open()
	if s.Certified("door") {
		t.Error("without an authority, a device is certified")
	}
	if err := s.Create(t.Context(), "school", nil); err != nil || s.Certified("door") || len(s.Certificates()) != 1 {
		t.Errorf("a new one: %v, %+v", err, s.Certificates())
	}
	s.enroll("door")
	if err := keys.Store(filepath.Join(s.folder, pki.KeyFile), newKey(t)); err != nil {
		t.Fatal(err)
	}
	_, err = pki.Open(t.Context(), pki.Parts{Folder: s.folder, Store: s.store, Hosts: func() []string { return nil }, Log: s.log.Logger()})
	if !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("with another key: %v", err)
	}
}

func TestEnrollAndRenew(t *testing.T) {
	s := newSite(t, "school")
	issued, key := s.enroll("1026700")
	c := parsed(t, issued)
	if c.Subject.CommonName != "1026700" || len(c.URIs) != 1 || c.URIs[0].String() != "urn:edgelens:device:1026700" || c.IsCA ||
		!slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.DNSNames)+len(c.IPAddresses) > 0 {
		t.Errorf("%+v", c)
	}
	if known, err := s.Check(c); err != nil || known.Name != "1026700" {
		t.Errorf("%+v, %v", known, err)
	}
	if !s.Certified("1026700") || s.Certified("1026701") || fmt.Sprint(s.Devices()) != "[1026700]" || fmt.Sprint(s.changes) != "[false]" {
		t.Errorf("%v, %v", s.Devices(), s.changes)
	}
	// The same key again is a renewal; another is not, unless the operator or the device itself says so.
	again, err := s.Enroll(t.Context(), "1026700", requestOf(t, key, "1026700"), time.Hour)
	if err != nil || again.Serial == issued.Serial || again.NotAfter.After(s.now.Add(time.Hour+time.Minute)) {
		t.Errorf("%+v, %v", again, err)
	}
	other := newKey(t)
	if _, err := s.Enroll(t.Context(), "1026700", requestOf(t, other, "1026700"), 0); !errors.Is(err, edgelens.ErrConflict) || !strings.Contains(err.Error(), "edgelens device renew 1026700") {
		t.Errorf("another key: %v", err)
	}
	renewed, err := s.RenewBy(t.Context(), c, requestOf(t, other, "1026700"))
	if err != nil || renewed.KeyID == issued.KeyID || renewed.NotAfter.Sub(renewed.Issued) != issued.NotAfter.Sub(issued.Issued) {
		t.Errorf("by the device: %+v, %v", renewed, err)
	}
	if _, err := s.RenewBy(t.Context(), c, requestOf(t, newKey(t), "1026701")); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("for another device: %v", err)
	}
	if _, err := s.Renew(t.Context(), "1026701", requestOf(t, newKey(t), "1026701"), 0); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("of a device without one: %v", err)
	}
	// No two devices share a key.
	if _, err := s.Enroll(t.Context(), "1026701", requestOf(t, other, "1026701"), 0); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("the key of another device: %v", err)
	}
	for _, validity := range []time.Duration{-1, time.Minute, pki.MaxValidity + 1} {
		if _, err := s.Renew(t.Context(), "1026700", requestOf(t, other, "1026700"), validity); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("valid for %v: %v", validity, err)
		}
	}
	// What could not be stored was not issued.
	s.store.Fail = edgelens.ErrDiskFull
	if _, err := s.Enroll(t.Context(), "1026702", requestOf(t, newKey(t), "1026702"), 0); !errors.Is(err, edgelens.ErrDiskFull) || s.Certified("1026702") {
		t.Errorf("with a full disk: %v", err)
	}
}

func TestCheckRefuses(t *testing.T) {
	s, stranger := newSite(t, "school"), newSite(t, "school")
	ours, _ := s.enroll("door")
	theirs, _ := stranger.enroll("door")
	revoked, revokedKey := s.enroll("gate")
	if list, err := s.Revoke(t.Context(), "gate"); err != nil || len(list) != 1 || list[0].Serial != revoked.Serial {
		t.Fatalf("%+v, %v", list, err)
	}
	if fmt.Sprint(s.changes) != "[false false true]" {
		t.Errorf("%v", s.changes)
	}
	root, err := s.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	lost, _ := s.enroll("lost")
	delete(s.store.BySerial, lost.Serial) // as by the restore of a backup
	for name, c := range map[string]*x509.Certificate{
		"of another authority with the same name": parsed(t, theirs), "revoked": parsed(t, revoked), "the authority itself": root,
	} {
		if _, err := s.Check(c); !errors.Is(err, edgelens.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // also after a restart
		if _, err := s.Check(parsed(t, revoked)); err == nil || !strings.Contains(err.Error(), "revoked") {
			t.Errorf("%v", err)
		}
		s.open()
	}
	if _, err := s.Check(parsed(t, lost)); !errors.Is(err, edgelens.ErrForbidden) || !strings.Contains(err.Error(), "register") {
		t.Errorf("not in the register: %v", err)
	}
	if _, err := s.Check(parsed(t, ours)); err != nil {
		t.Error(err)
	}
	s.now = s.now.Add(pki.DefaultValidity + time.Hour)
	if _, err := s.Check(parsed(t, ours)); !errors.Is(err, edgelens.ErrForbidden) || s.Certified("door") {
		t.Errorf("expired: %v", err)
	}
	// A key that was revoked never gets another certificate; the device does, with a new one.
	if _, err := s.Enroll(t.Context(), "gate", requestOf(t, revokedKey, "gate"), 0); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a revoked key: %v", err)
	}
	s.enroll("gate")
	if _, err := s.Revoke(t.Context(), "shed"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestRevocations(t *testing.T) {
	s := newSite(t, "school")
	root, err := s.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	read := func() *x509.RevocationList {
		t.Helper()
		der, err := s.Revocations()
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil || list.CheckSignatureFrom(root) != nil {
			t.Fatal(err)
		}
		return list
	}
	first := read()
	if len(first.RevokedCertificateEntries) != 0 || !first.NextUpdate.After(s.now.Add(6*24*time.Hour)) || read().Number.Cmp(first.Number) != 0 {
		t.Errorf("%+v", first)
	}
	door, _ := s.enroll("door")
	if _, err := s.Revoke(t.Context(), "door"); err != nil {
		t.Fatal(err)
	}
	second := read()
	if len(second.RevokedCertificateEntries) != 1 || fmt.Sprintf("%032x", second.RevokedCertificateEntries[0].SerialNumber) != door.Serial || second.Number.Cmp(first.Number) <= 0 {
		t.Errorf("%+v", second)
	}
	s.open()
	third := read()
	if len(third.RevokedCertificateEntries) != 1 || third.Number.Cmp(second.Number) <= 0 {
		t.Errorf("after a restart: %+v", third)
	}
	// It is renewed before its end, also where the clock was set back.
	s.now = s.now.Add(4 * 24 * time.Hour)
	fourth := read()
	if !fourth.NextUpdate.After(third.NextUpdate) || fourth.Number.Cmp(third.Number) <= 0 {
		t.Errorf("%v", fourth.NextUpdate)
	}
	s.now = s.now.Add(-30 * 24 * time.Hour)
	if fifth := read(); fifth.Number.Cmp(fourth.Number) <= 0 || fifth.NextUpdate.After(s.now.Add(8*24*time.Hour)) {
		t.Errorf("%v", fifth.NextUpdate)
	}
	// The broker's never expires before the authority, since it would refuse everyone.
	text, err := s.BrokerRevocations()
	block, _ := pem.Decode(text)
	if err != nil || block == nil {
		t.Fatal(err)
	}
	if list, err := x509.ParseRevocationList(block.Bytes); err != nil || !list.NextUpdate.Equal(root.NotAfter) || len(list.RevokedCertificateEntries) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestNodeRenewsItsOwn(t *testing.T) {
	s := newSite(t, "school")
	read := func() *x509.Certificate {
		t.Helper()
		s.Maintain(t.Context())
		c, err := s.NodeCertificate()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := read()
	s.now = s.now.Add(50 * 24 * time.Hour)
	if !read().Equal(first) {
		t.Error("it was renewed early")
	}
	s.now = s.now.Add(15 * 24 * time.Hour)
	second := read()
	if second.Equal(first) || second.NotAfter.Before(s.now.Add(80*24*time.Hour)) || !second.PublicKey.(*ecdsa.PublicKey).Equal(first.PublicKey) {
		t.Errorf("it was not renewed, or with another key: %v", second.NotAfter)
	}
	s.hosts = append(s.hosts, "192.168.1.9")
	if third := read(); len(third.IPAddresses) != 2 {
		t.Errorf("a new address: %v", third.IPAddresses)
	}
	if err := os.WriteFile(filepath.Join(s.folder, pki.NodeCertificateFile), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(read().IPAddresses) != 2 {
		t.Error("a damaged one was not replaced")
	}
	if _, err := s.RenewBy(t.Context(), read(), requestOf(t, newKey(t), "door")); !errors.Is(err, edgelens.ErrForbidden) {
		t.Errorf("a node as a device: %v", err)
	}
	// What expired long ago is forgotten.
	s.now = s.now.AddDate(2, 0, 0)
	read()
	if n := len(s.Certificates()); n != 1 || len(s.store.BySerial) != 1 {
		t.Errorf("%d certificates, want that of the node", n)
	}
}

// The keys never reach the log.
func TestLogHasNoKeys(t *testing.T) {
	s := newSite(t, "school")
	_, key := s.enroll("door")
	token, _, err := s.NewToken(t.Context(), "gate", time.Hour, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.EnrollByToken(t.Context(), token, requestOf(t, newKey(t), "gate")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Enroll(t.Context(), "yard", must(keys.Marshal(key)), 0); !errors.Is(err, edgelens.ErrInvalid) || strings.Contains(err.Error(), "MI") {
		t.Errorf("a private key for a request: %v", err)
	}
	text := s.log.String()
	if !strings.Contains(text, "certificate_issued") {
		t.Errorf("%s", text)
	}
	for _, file := range []string{pki.KeyFile, pki.NodeKeyFile} {
		secret := must(os.ReadFile(filepath.Join(s.folder, file)))
		block, _ := pem.Decode(secret)
		if strings.Contains(text, strings.Split(string(secret), "\n")[1]) || strings.Contains(text, string(block.Bytes)) {
			t.Errorf("%s is in the log", file)
		}
	}
	if strings.Contains(text, token) || strings.Contains(text, token[4:]) || strings.Contains(text, "PRIVATE") {
		t.Errorf("%s", text)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
