package edgelens

import "time"

// CertificateKind is what a certificate of our authority is for.
type CertificateKind string

// The kinds of certificates.
const (
	// CertificateOfDevice identifies a device or another MQTT client to this service.
	CertificateOfDevice CertificateKind = "device"
	// CertificateOfNode identifies this service to its clients, and to another service.
	CertificateOfNode CertificateKind = "node"
)

// CertificateState is whether a certificate can be used.
type CertificateState string

// The states of a certificate.
const (
	CertificateValid    CertificateState = "valid"
	CertificateExpiring CertificateState = "expiring" // valid, for at most CertificateExpiresSoon
	CertificateExpired  CertificateState = "expired"
	CertificateRevoked  CertificateState = "revoked"
)

// CertificateExpiresSoon is how long before its end a certificate counts as expiring.
const CertificateExpiresSoon = 14 * 24 * time.Hour

// Certificate is one that the certificate authority of this service has issued.
type Certificate struct {
	// Serial is its serial number in hexadecimal, 32 digits.
	Serial string
	Kind   CertificateKind
	// Name is the id of the device, or the name of the node.
	Name string
	// KeyID is the thumbprint of its public key (RFC 7638), and SHA256 its fingerprint in hexadecimal.
	KeyID, SHA256 string
	// Issued is when it was; it is valid from NotBefore to NotAfter.
	Issued, NotBefore, NotAfter time.Time
	// Revoked is zero for one that was not revoked.
	Revoked time.Time
	// DER is the certificate itself.
	DER []byte
}

// State returns its state at that time. One that is not valid yet counts as valid: it is backdated, so that only a wrong
// clock finds it early.
func (c Certificate) State(now time.Time) CertificateState {
	switch {
	case !c.Revoked.IsZero():
		return CertificateRevoked
	case now.After(c.NotAfter):
		return CertificateExpired
	case now.Add(CertificateExpiresSoon).After(c.NotAfter):
		return CertificateExpiring
	}
	return CertificateValid
}

// Usable reports whether it is neither revoked nor expired at that time.
func (c Certificate) Usable(now time.Time) bool {
	state := c.State(now)
	return state == CertificateValid || state == CertificateExpiring
}

// EnrolmentToken lets a device get its first certificate by itself, once. The token is not a part of it: the device alone
// has it.
type EnrolmentToken struct {
	// Hash is the SHA-256 of the token.
	Hash [32]byte
	// Name is the id of the device that it is for, and Validity that of the certificate.
	Name     string
	Validity time.Duration
	// Created and Expires bound its time; Used is zero for one that was not used.
	Created, Expires, Used time.Time
}
