package pki

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"edgelens"
	"edgelens/identity/keys"
)

// Enroll issues the first certificate of a device, for the key in a certificate signing request (PEM); validity 0 means
// DefaultValidity. A device that has a certificate gets another one for the same key alone. Errors: edgelens.ErrInvalid for
// the id, the request or the validity, ErrConflict for a device that has a certificate with another key, ErrNotFound without
// an authority.
func (a *Authority) Enroll(ctx context.Context, device string, csr []byte, validity time.Duration) (edgelens.Certificate, error) {
	parsed, err := parseRequest(csr)
	if err != nil {
		return edgelens.Certificate{}, err
	}
	return a.enroll(ctx, device, parsed, validity, nil)
}

func (a *Authority) enroll(ctx context.Context, device string, parsed request, validity time.Duration, token *[32]byte) (edgelens.Certificate, error) {
	if err := checkSubject(device, parsed, validity); err != nil {
		return edgelens.Certificate{}, err
	}
	issued, err := a.issueFor(ctx, device, parsed, validity, token, func(of []edgelens.Certificate, key string) error {
		if slices.ContainsFunc(of, func(c edgelens.Certificate) bool { return c.KeyID != key }) {
			return fmt.Errorf("enroll %s: %w: it has a certificate with another key; `edgelens device renew %[1]s` replaces it, and `edgelens device revoke %[1]s` ends it first", device, edgelens.ErrConflict)
		}
		return nil
	})
	if err == nil {
		a.parts.Changed(false)
	}
	return issued, err
}

// Renew issues a certificate for a device that has one, by the operator's word: also for another key. The former one stays
// valid until its end, or until Revoke. Errors are those of Enroll, and edgelens.ErrNotFound for a device without one.
func (a *Authority) Renew(ctx context.Context, device string, csr []byte, validity time.Duration) (edgelens.Certificate, error) {
	parsed, err := parseRequest(csr)
	if err != nil {
		return edgelens.Certificate{}, err
	}
	return a.renew(ctx, device, parsed, validity)
}

func (a *Authority) renew(ctx context.Context, device string, parsed request, validity time.Duration) (edgelens.Certificate, error) {
	if err := checkSubject(device, parsed, validity); err != nil {
		return edgelens.Certificate{}, err
	}
	issued, err := a.issueFor(ctx, device, parsed, validity, nil, func(of []edgelens.Certificate, _ string) error {
		if len(of) == 0 {
			return fmt.Errorf("renew the certificate of %s: %w: it has none that is valid; `edgelens device enroll %[1]s` makes one", device, edgelens.ErrNotFound)
		}
		return nil
	})
	if err == nil {
		a.parts.Changed(false)
	}
	return issued, err
}

// RenewBy is Renew for a device that has proved by TLS that it has the certificate. The error is that of Check for one that
// cannot be used any more. The validity is that of the certificate.
func (a *Authority) RenewBy(ctx context.Context, present *x509.Certificate, csr []byte) (edgelens.Certificate, error) {
	known, err := a.Check(present)
	if err != nil {
		return edgelens.Certificate{}, err
	}
	if known.Kind != edgelens.CertificateOfDevice {
		return edgelens.Certificate{}, fmt.Errorf("renew a certificate: %w: this is one of a node, which renews its own", edgelens.ErrForbidden)
	}
	parsed, err := parseRequest(csr)
	if err != nil {
		return edgelens.Certificate{}, err
	}
	return a.renew(ctx, known.Name, parsed, known.NotAfter.Sub(known.Issued))
}

// checkSubject checks what a certificate is asked for.
func checkSubject(device string, parsed request, validity time.Duration) error {
	if validity != 0 && (validity < MinValidity || validity > MaxValidity) {
		return fmt.Errorf("issue a certificate: %w: it can be valid for %v to %d days", edgelens.ErrInvalid, MinValidity, int(MaxValidity.Hours()/24))
	}
	return errors.Join(CheckDevice(device), parsed.isFor(device))
}

// issueFor issues a certificate of a device whose present ones permits it.
func (a *Authority) issueFor(ctx context.Context, device string, parsed request, validity time.Duration, token *[32]byte, permits func(usable []edgelens.Certificate, key string) error) (edgelens.Certificate, error) {
	key, err := keys.ID(parsed.key)
	if err != nil {
		return edgelens.Certificate{}, err
	}
	a.issuing.Lock()
	defer a.issuing.Unlock()
	if _, err := a.Certificate(); err != nil {
		return edgelens.Certificate{}, err
	}
	if err := a.checkKey(device, key); err != nil {
		return edgelens.Certificate{}, err
	}
	a.mu.RLock()
	usable := a.register.usable(edgelens.CertificateOfDevice, device, a.parts.Now())
	a.mu.RUnlock()
	if err := permits(usable, key); err != nil {
		return edgelens.Certificate{}, err
	}
	return a.issue(ctx, subject{kind: edgelens.CertificateOfDevice, name: device, key: parsed.key, validity: cmp.Or(validity, DefaultValidity)}, token)
}

// checkKey refuses a key that a revoked certificate has, or that of another device: a shared key makes one of the other.
func (a *Authority) checkKey(device, key string) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, c := range a.register.bySerial {
		switch {
		case c.KeyID != key:
		case !c.Revoked.IsZero():
			return fmt.Errorf("issue a certificate for %s: %w: a certificate with this key was revoked; make a new key", device, edgelens.ErrConflict)
		case c.Kind != edgelens.CertificateOfDevice || c.Name != device:
			return fmt.Errorf("issue a certificate for %s: %w: another device or node has this key; make one for each", device, edgelens.ErrConflict)
		}
	}
	return nil
}

// Revoke ends the certificates of a device, at once and for good, and returns them. The error is an edgelens.ErrNotFound where
// it has none that is valid.
func (a *Authority) Revoke(ctx context.Context, device string) ([]edgelens.Certificate, error) {
	revoked, err := a.revoke(ctx, device)
	if err == nil {
		a.parts.Changed(true)
	}
	return revoked, err
}

func (a *Authority) revoke(ctx context.Context, device string) ([]edgelens.Certificate, error) {
	a.issuing.Lock()
	defer a.issuing.Unlock()
	if _, err := a.Certificate(); err != nil {
		return nil, err
	}
	now := a.parts.Now()
	a.mu.RLock()
	usable := a.register.usable(edgelens.CertificateOfDevice, device, now)
	a.mu.RUnlock()
	if len(usable) == 0 {
		return nil, fmt.Errorf("revoke the certificates of %s: %w: it has none that is valid; `edgelens device list` shows those that there are", device, edgelens.ErrNotFound)
	}
	serials := make([]string, len(usable))
	for i := range usable {
		serials[i], usable[i].Revoked = usable[i].Serial, now.UTC()
	}
	if err := a.parts.Store.RevokeCertificates(ctx, serials, now); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.register.revoke(serials, now.UTC())
	a.published = revocations{number: a.published.number} // it is to be made again
	a.mu.Unlock()
	a.parts.Log.Warn("certificates revoked", "event", "certificate_revoked", "name", device, "serials", serials)
	return usable, nil
}
