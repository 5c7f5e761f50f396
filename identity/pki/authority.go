// Package pki is the certificate authority of a site: it issues the certificates by which devices and nodes identify
// themselves over TLS, and revokes them. docs/adr/0049-identity.md has the reasons.
//
//	ca.key       the authority's private key: who has it can be every device
//	ca.pem       its certificate, which clients trust
//	node.key     this node's private key
//	node.pem     its certificate, with that of the authority behind it
//	revoked.crl  the revocation list that was published last (DER)
//
// Keys are P-256, signatures ECDSA with SHA-256. Which certificates there are is in a Store.
package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"edgelens"
	"edgelens/identity/keys"
	"edgelens/internal/atomicfile"
)

// The names of the files in Parts.Folder.
const (
	KeyFile             = "ca.key"
	CertificateFile     = "ca.pem"
	NodeKeyFile         = "node.key"
	NodeCertificateFile = "node.pem"
	revocationsFile     = "revoked.crl"
)

const (
	// authorityYears is the validity of the authority's certificate: to replace it means to visit every device.
	authorityYears = 20
	// backdated is how long before its issue a certificate is valid: clocks of devices run late.
	backdated = 24 * time.Hour
	// maxName is the maximum length of the authority's name in characters (RFC 5280, ub-common-name).
	maxName = 64
	// maxFile bounds the files.
	maxFile = 64 << 10
)

// Store keeps the certificates and the enrolment tokens. An Authority is the only one that changes them.
type Store interface {
	// Certificates returns every certificate.
	Certificates(ctx context.Context) ([]edgelens.Certificate, error)
	// AddCertificate makes a certificate durable and, where token is not nil, marks the token with that hash as used: both or
	// neither. The error is an edgelens.ErrUnauthorized where there is no such token that is unused and has not expired.
	AddCertificate(ctx context.Context, c edgelens.Certificate, token *[32]byte) error
	// RevokeCertificates makes the revocation of certificates durable, by their serial numbers.
	RevokeCertificates(ctx context.Context, serials []string, at time.Time) error
	// AddEnrolmentToken makes a token durable, in place of those for the same device.
	AddEnrolmentToken(ctx context.Context, token edgelens.EnrolmentToken) error
	// EnrolmentToken returns the token with that hash; edgelens.ErrNotFound for none.
	EnrolmentToken(ctx context.Context, hash [32]byte) (edgelens.EnrolmentToken, error)
	// RemoveExpired removes certificates and tokens that expired before that time.
	RemoveExpired(ctx context.Context, before time.Time) error
}

// Parts are what an Authority works with.
type Parts struct {
	// Folder has the files; it is created with the authority.
	Folder string
	Store  Store
	// Node is this node's name, and Hosts returns the names and addresses by which clients reach it.
	Node  string
	Hosts func() []string
	Log   *slog.Logger
	// Changed is called after a certificate was issued or, with revoked set, revoked; nil for nothing.
	Changed func(revoked bool)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Authority issues and revokes certificates, once there is one: before Create, its methods return an edgelens.ErrNotFound.
// It is safe for use by many goroutines.
type Authority struct {
	parts Parts
	// issuing is held while a certificate is issued or revoked, so that the register cannot change in between.
	issuing sync.Mutex

	mu          sync.RWMutex
	certificate *x509.Certificate // nil where there is none
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
	register    register
	published   revocations
}

// Open reads the authority of a folder, where there is one, with its certificates.
func Open(ctx context.Context, parts Parts) (*Authority, error) {
	if parts.Now == nil {
		parts.Now = time.Now
	}
	if parts.Changed == nil {
		parts.Changed = func(bool) {}
	}
	a := &Authority{parts: parts}
	known, err := parts.Store.Certificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the certificates: %w", err)
	}
	a.register = newRegister(known)
	certificate, err := readCertificate(a.path(CertificateFile))
	if errors.Is(err, edgelens.ErrNotFound) {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := keys.Load(a.path(KeyFile))
	if err != nil {
		return nil, fmt.Errorf("open the certificate authority: %w", err)
	}
	if !key.PublicKey.Equal(certificate.PublicKey) {
		return nil, fmt.Errorf("open the certificate authority: %w: %s is not the key of %s; restore both from one backup", edgelens.ErrInvalid, a.path(KeyFile), a.path(CertificateFile))
	}
	a.adopt(certificate, key)
	a.published = readRevocations(a.path(revocationsFile), certificate)
	return a, nil
}

// Create makes the authority, with this node's certificate, which is also for further names and addresses by which clients
// reach it. The error is an edgelens.ErrConflict where there is an authority, and an ErrInvalid for a bad name or host.
func (a *Authority) Create(ctx context.Context, name string, hosts []string) error {
	a.issuing.Lock()
	defer a.issuing.Unlock()
	if a.Exists() {
		return fmt.Errorf("make a certificate authority: %w: there is one in %s, and every certificate depends on it", edgelens.ErrConflict, a.parts.Folder)
	}
	if err := errors.Join(checkName(name), checkHosts(hosts)); err != nil {
		return err
	}
	if err := os.MkdirAll(a.parts.Folder, 0o700); err != nil {
		return fmt.Errorf("make a certificate authority: %w: %w", edgelens.ErrStorage, err)
	}
	// A key without its certificate is what an earlier attempt left, and no client has it.
	key, err := keys.New()
	if err != nil {
		return fmt.Errorf("make a certificate authority: %w", err)
	}
	certificate, err := selfSign(name, key, a.parts.Now())
	if err != nil {
		return err
	}
	if err := keys.Store(a.path(KeyFile), key); err != nil {
		return err
	}
	if err := atomicfile.Write(a.path(CertificateFile), toPEM(certificate.Raw), 0o644); err != nil {
		return fmt.Errorf("make a certificate authority: %w: %w", edgelens.ErrStorage, err)
	}
	a.adopt(certificate, key)
	a.parts.Log.Info("certificate authority made", "event", "ca_created", "name", name, "expires", certificate.NotAfter.Format(time.DateOnly))
	return a.renewNode(ctx, hosts)
}

// selfSign makes the certificate of an authority that signs certificates of devices and nodes, and no other authority.
func selfSign(name string, key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	id, err := subjectKeyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, SubjectKeyId: id, SignatureAlgorithm: x509.ECDSAWithSHA256,
		NotBefore: now.Add(-backdated).UTC(), NotAfter: now.AddDate(authorityYears, 0, 0).UTC(),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of the authority: %w", err)
	}
	return x509.ParseCertificate(der)
}

// checkName checks the name of an authority.
func checkName(name string) error {
	if name == "" || name != strings.TrimSpace(name) || utf8.RuneCountInString(name) > maxName ||
		strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) >= 0 {
		return fmt.Errorf("make a certificate authority: %w: its name must have 1 to %d printable characters, without blanks around it", edgelens.ErrInvalid, maxName)
	}
	return nil
}

// adopt makes a certificate and its key those of the authority.
func (a *Authority) adopt(certificate *x509.Certificate, key *ecdsa.PrivateKey) {
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.certificate, a.key, a.pool = certificate, key, pool
	a.register.keepOf(certificate)
}

// errNone is the error where there is no authority yet.
var errNone = fmt.Errorf("%w: there is no certificate authority yet; `edgelens ca init` makes one (docs/identity.md)", edgelens.ErrNotFound)

// Exists reports whether there is an authority.
func (a *Authority) Exists() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.certificate != nil
}

// signer returns the certificate and the key.
func (a *Authority) signer() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.certificate == nil {
		return nil, nil, errNone
	}
	return a.certificate, a.key, nil
}

// Certificate returns the authority's certificate. The error is an edgelens.ErrNotFound where there is none yet.
func (a *Authority) Certificate() (*x509.Certificate, error) {
	certificate, _, err := a.signer()
	return certificate, err
}

// PEM returns the authority's certificate for those who trust it, as Certificate does.
func (a *Authority) PEM() ([]byte, error) {
	certificate, _, err := a.signer()
	if err != nil {
		return nil, err
	}
	return toPEM(certificate.Raw), nil
}

// Pool returns the authority as the root of trust; an empty pool where there is none.
func (a *Authority) Pool() *x509.CertPool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.pool == nil {
		return x509.NewCertPool()
	}
	return a.pool
}

func (a *Authority) path(name string) string { return filepath.Join(a.parts.Folder, name) }

// pemCertificate is the type of a certificate in PEM.
const pemCertificate = "CERTIFICATE"

func toPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})
}

// readCertificate reads the first certificate of a file; edgelens.ErrNotFound where there is no file.
func readCertificate(path string) (*x509.Certificate, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the certificate %s: %w", path, edgelens.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s: %w", path, err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("read the certificate %s: %w: it has %d bytes", path, edgelens.ErrInvalid, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s: %w", path, err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemCertificate {
		return nil, fmt.Errorf("read the certificate %s: %w: it has no certificate in PEM", path, edgelens.ErrInvalid)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s: %w: it is damaged", path, edgelens.ErrInvalid)
	}
	return certificate, nil
}
