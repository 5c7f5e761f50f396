package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"

	"edgelens"
	"edgelens/identity/keys"
)

// The validity of a device's certificate.
const (
	DefaultValidity = 365 * 24 * time.Hour
	MinValidity     = time.Hour
	MaxValidity     = 10 * DefaultValidity
)

// serialBits is the size of serial numbers, all of it random (RFC 5280, 4.1.2.2 allows 159).
const serialBits = 128

// newSerial returns a random serial number.
func newSerial() (*big.Int, error) {
	for {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
		if err != nil {
			return nil, fmt.Errorf("make a serial number: %w", err)
		}
		if serial.Sign() > 0 {
			return serial, nil
		}
	}
}

// serialText is a serial number as the register has it.
func serialText(serial *big.Int) string { return fmt.Sprintf("%032x", serial) }

// subjectKeyID names a key (RFC 7093, 2, method 1).
func subjectKeyID(key *ecdsa.PublicKey) ([]byte, error) {
	point, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("name a public key: %w", err)
	}
	sum := sha256.Sum256(point)
	return sum[:20], nil
}

// subject is what a certificate is issued for.
type subject struct {
	kind     edgelens.CertificateKind
	name     string
	key      *ecdsa.PublicKey
	validity time.Duration
	// hosts are the names and addresses of a node.
	hosts []string
}

// template returns the certificate of a subject, which is not signed yet.
func (s subject) template(now, end time.Time) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	id, err := subjectKeyID(s.key)
	if err != nil {
		return nil, err
	}
	until := now.Add(s.validity)
	if until.After(end) { // none outlives the authority
		until = end
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: s.name}, SubjectKeyId: id, SignatureAlgorithm: x509.ECDSAWithSHA256,
		URIs:      []*url.URL{identity(s.kind, s.name)},
		NotBefore: now.Add(-backdated).UTC(), NotAfter: until.UTC(),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	if s.kind == edgelens.CertificateOfNode {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range s.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, strings.ToLower(host))
		}
	}
	return template, nil
}

// sign signs a certificate, without keeping it.
func (a *Authority) sign(s subject) (edgelens.Certificate, error) {
	issuer, key, err := a.signer()
	if err != nil {
		return edgelens.Certificate{}, err
	}
	now := a.parts.Now()
	if now.After(issuer.NotAfter) || now.Before(issuer.NotBefore) {
		return edgelens.Certificate{}, fmt.Errorf("issue a certificate: %w: that of the authority is valid from %s to %s; check the clock of this machine", edgelens.ErrInvalid,
			issuer.NotBefore.Format(time.DateOnly), issuer.NotAfter.Format(time.DateOnly))
	}
	template, err := s.template(now, issuer.NotAfter)
	if err != nil {
		return edgelens.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, s.key, key)
	if err != nil {
		return edgelens.Certificate{}, fmt.Errorf("sign the certificate: %w", err)
	}
	id, err := keys.ID(s.key)
	if err != nil {
		return edgelens.Certificate{}, err
	}
	sum := sha256.Sum256(der)
	return edgelens.Certificate{
		Serial: serialText(template.SerialNumber), Kind: s.kind, Name: s.name, KeyID: id, SHA256: hex.EncodeToString(sum[:]),
		Issued: now.UTC(), NotBefore: template.NotBefore, NotAfter: template.NotAfter, DER: der,
	}, nil
}

// issue signs a certificate and keeps it. issuing must be held.
func (a *Authority) issue(ctx context.Context, s subject, token *[32]byte) (edgelens.Certificate, error) {
	issued, err := a.sign(s)
	if err != nil {
		return edgelens.Certificate{}, err
	}
	if err := a.parts.Store.AddCertificate(ctx, issued, token); err != nil {
		return edgelens.Certificate{}, err
	}
	a.mu.Lock()
	a.register.add(issued)
	a.mu.Unlock()
	a.parts.Log.Info("certificate issued", "event", "certificate_issued", "kind", issued.Kind, "name", issued.Name, "serial", issued.Serial,
		"key", issued.KeyID, "expires", issued.NotAfter.Format(time.DateOnly))
	return issued, nil
}

// Chain returns a certificate in PEM, with that of the authority behind it.
func (a *Authority) Chain(c edgelens.Certificate) ([]byte, error) {
	root, err := a.PEM()
	if err != nil {
		return nil, err
	}
	return append(toPEM(c.DER), root...), nil
}
