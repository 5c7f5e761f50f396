package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"

	"edgelens"
	"edgelens/internal/clip"
)

// MaxRequest is the maximum size of a certificate signing request in bytes; one of P-256 has some 500.
const MaxRequest = 8 << 10

// reserved begins the names of nodes and of our own MQTT user, which no device may have.
const reserved = "edgelens"

// CheckDevice returns an edgelens.ErrInvalid for an id that no device may have: one that cannot be part of a topic, or of
// which the name is like one of ours.
func CheckDevice(id string) error {
	switch {
	case !edgelens.ValidDeviceID(id):
		return fmt.Errorf(`%w: the id of a device must be 1 to 64 of A-Z a-z 0-9 . _ : -, and not "." or "..", not %q`, edgelens.ErrInvalid, clip.ASCII(id, 80))
	case strings.HasPrefix(strings.ToLower(id), reserved):
		return fmt.Errorf("%w: names that begin with %q are those of nodes; choose another id", edgelens.ErrInvalid, reserved)
	}
	return nil
}

// identity is the URI of a name, in the subject alternative name of its certificate.
func identity(kind edgelens.CertificateKind, name string) *url.URL {
	return &url.URL{Scheme: "urn", Opaque: "edgelens:" + string(kind) + ":" + name}
}

// request is what a certificate signing request asks for.
type request struct {
	key *ecdsa.PublicKey
	// names are those that it has: in its subject, and by its URI. None is no mistake: the operator or the token has the name.
	names []string
}

// refused is the error of a request that is not signed.
func refused(format string, args ...any) error {
	return fmt.Errorf("the certificate signing request is refused: %w: %s", edgelens.ErrInvalid, fmt.Sprintf(format, args...))
}

// parseRequest reads a certificate signing request (PKCS #10, RFC 2986) in PEM. Its error is an edgelens.ErrInvalid for a key
// that is not of P-256, a signature that is not its own, and whatever it asks for that no device gets.
func parseRequest(text []byte) (request, error) {
	if len(text) > MaxRequest {
		return request{}, refused("it has more than %d bytes", MaxRequest)
	}
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return request{}, refused("it is not in PEM (-----BEGIN CERTIFICATE REQUEST-----)")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return request{}, refused("this is a private key, which must never leave its device; make a new one")
	case block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST":
		return request{}, refused("this is a %q", clip.ASCII(block.Type, 40))
	case len(bytes.TrimSpace(rest)) > 0:
		return request{}, refused("something follows it; send it alone")
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return request{}, refused("it is damaged")
	}
	key, ok := parsed.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return request{}, refused("its key must be an elliptic-curve key of P-256 (`openssl ecparam -name prime256v1 -genkey`), not %s", keyKind(parsed))
	}
	if parsed.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		return request{}, refused("it must be signed with ECDSA and SHA-256, not %v", parsed.SignatureAlgorithm)
	}
	if err := parsed.CheckSignature(); err != nil {
		return request{}, refused("its signature is not by its own key")
	}
	names, err := namesOf(parsed)
	return request{key: key, names: names}, err
}

// keyKind describes the key of a request.
func keyKind(r *x509.CertificateRequest) string {
	if key, ok := r.PublicKey.(*ecdsa.PublicKey); ok {
		return key.Curve.Params().Name
	}
	return r.PublicKeyAlgorithm.String()
}

var (
	oidCommonName     = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// namesOf returns the names that a request has, and refuses every extension but a URI of ours.
func namesOf(r *x509.CertificateRequest) (names []string, err error) {
	for _, part := range r.Subject.Names {
		if !part.Type.Equal(oidCommonName) {
			continue // an organization and the like, which openssl asks for; the certificate has none of it
		}
		name, ok := part.Value.(string)
		if !ok {
			return nil, refused("its common name is no text")
		}
		names = append(names, name)
	}
	for _, extension := range r.Extensions {
		if !extension.Id.Equal(oidSubjectAltName) {
			return nil, refused("it asks for the extension %v; leave extensions out, since the authority decides them", extension.Id)
		}
	}
	if len(r.DNSNames)+len(r.EmailAddresses)+len(r.IPAddresses) > 0 {
		return nil, refused("it asks for host names or addresses, which no device gets")
	}
	prefix := identity(edgelens.CertificateOfDevice, "").String()
	for _, uri := range r.URIs {
		name, ours := strings.CutPrefix(uri.String(), prefix)
		if !ours {
			return nil, refused("it asks for the URI %q, and may have %sID alone", clip.ASCII(uri.String(), 80), prefix)
		}
		names = append(names, name)
	}
	if len(r.URIs) == 0 && hasExtension(r, oidSubjectAltName) {
		return nil, refused("it asks for a name of another kind (otherName), which no device gets")
	}
	return names, nil
}

func hasExtension(r *x509.CertificateRequest, id asn1.ObjectIdentifier) bool {
	for _, extension := range r.Extensions {
		if extension.Id.Equal(id) {
			return true
		}
	}
	return false
}

// isFor refuses a request that has another name than that of the device.
func (r request) isFor(device string) error {
	for _, name := range r.names {
		if name != device {
			return refused("it is for %q, and this certificate is for %q", clip.ASCII(name, 80), device)
		}
	}
	return nil
}

// NewRequest makes a certificate signing request for a device with that key, in PEM.
func NewRequest(key *ecdsa.PrivateKey, device string) ([]byte, error) {
	if err := CheckDevice(device); err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: device}, URIs: []*url.URL{identity(edgelens.CertificateOfDevice, device)}, SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate signing request: %w: %w", edgelens.ErrInvalid, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}
