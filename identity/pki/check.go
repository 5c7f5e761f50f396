package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"edgelens"
)

// Check returns what is known of a certificate of a client, which TLS has verified or not: it must be signed by the authority,
// for clients, valid now, in the register, and not revoked. Its error is an edgelens.ErrForbidden with the reason.
func (a *Authority) Check(presented *x509.Certificate) (edgelens.Certificate, error) {
	now := a.parts.Now()
	_, err := presented.Verify(x509.VerifyOptions{Roots: a.Pool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return edgelens.Certificate{}, forbidden("it cannot be verified by the authority of this service: %v", err)
	}
	a.mu.RLock()
	known, ok := a.register.bySerial[serialText(presented.SerialNumber)]
	a.mu.RUnlock()
	sum := sha256.Sum256(presented.Raw)
	switch {
	case !ok || known.SHA256 != hex.EncodeToString(sum[:]):
		// After a restore, those that were issued since the backup are unknown, and so is whether they were revoked.
		return edgelens.Certificate{}, forbidden("it is not in the register of this service, perhaps since a backup was restored; enroll the device again")
	case !known.Revoked.IsZero():
		return edgelens.Certificate{}, forbidden("it was revoked on %s", known.Revoked.Format(time.RFC3339))
	case !known.Usable(now):
		return edgelens.Certificate{}, forbidden("it expired on %s", known.NotAfter.Format(time.RFC3339))
	}
	return known, nil
}

func forbidden(format string, args ...any) error {
	return fmt.Errorf("the certificate of the client is refused: %w: %s", edgelens.ErrForbidden, fmt.Sprintf(format, args...))
}
