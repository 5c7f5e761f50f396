package pki

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"slices"
	"time"

	"edgelens/internal/atomicfile"
)

// revocationsFor is how long a published revocation list is valid: a client that reads it knows of a revocation by then. It is
// made again once half of that is over.
const revocationsFor = 7 * 24 * time.Hour

// revocations is the revocation list that was published last; without der, another one is to be made.
type revocations struct {
	der    []byte
	number *big.Int
	until  time.Time
}

// readRevocations reads the list of an earlier run. One that cannot be read is made again.
func readRevocations(path string, issuer *x509.Certificate) revocations {
	der, err := os.ReadFile(path)
	if err != nil {
		return revocations{}
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil || list.CheckSignatureFrom(issuer) != nil {
		return revocations{}
	}
	// It may lack what a crash came before: it is made again, with a higher number.
	return revocations{number: list.Number}
}

// Revocations returns the revocation list (RFC 5280, 5) in DER. It has the certificates that were revoked and have not expired,
// and is valid for some days. The error is an edgelens.ErrNotFound without an authority.
func (a *Authority) Revocations() ([]byte, error) {
	if _, err := a.Certificate(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.parts.Now()
	if left := a.published.until.Sub(now); a.published.der != nil && left > revocationsFor/2 && left <= revocationsFor {
		return a.published.der, nil
	}
	number := big.NewInt(now.Unix())
	if last := a.published.number; last != nil && last.Cmp(number) >= 0 { // it must grow, whatever the clock does
		number = new(big.Int).Add(last, big.NewInt(1))
	}
	until := now.Add(revocationsFor)
	der, err := a.signRevocations(number, now, until)
	if err != nil {
		return nil, err
	}
	a.published = revocations{der: der, number: number, until: until}
	if err := atomicfile.Write(a.path(revocationsFile), der, 0o644); err != nil {
		a.parts.Log.Warn("keeping the revocation list failed; after a restart its number may repeat", "error", err)
	}
	return der, nil
}

// BrokerRevocations returns the revocation list for the private broker, in PEM: it is made again at each change and ends with the
// authority, since the broker refuses every client once its list has expired.
func (a *Authority) BrokerRevocations() ([]byte, error) {
	issuer, err := a.Certificate()
	if err != nil {
		return nil, err
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	now := a.parts.Now()
	der, err := a.signRevocations(big.NewInt(now.Unix()), now, issuer.NotAfter)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), nil
}

// signRevocations makes a revocation list. mu must be held.
func (a *Authority) signRevocations(number *big.Int, now, until time.Time) ([]byte, error) {
	template := &x509.RevocationList{Number: number, ThisUpdate: now.Add(-backdated).UTC(), NextUpdate: until.UTC(), SignatureAlgorithm: x509.ECDSAWithSHA256}
	for _, c := range a.register.bySerial {
		if c.Revoked.IsZero() || now.After(c.NotAfter) {
			continue
		}
		serial, ok := new(big.Int).SetString(c.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("make the revocation list: the serial number %q is no number", c.Serial)
		}
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: c.Revoked.UTC()})
	}
	slices.SortFunc(template.RevokedCertificateEntries, func(x, y x509.RevocationListEntry) int { return x.SerialNumber.Cmp(y.SerialNumber) })
	der, err := x509.CreateRevocationList(rand.Reader, template, a.certificate, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign the revocation list: %w", err)
	}
	return der, nil
}
