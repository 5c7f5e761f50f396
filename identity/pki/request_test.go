package pki_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"

	"edgelens"
	"edgelens/identity/pki"
)

// signedRequest makes a certificate signing request by the library alone.
func signedRequest(t testing.TB, key crypto.Signer, change func(*x509.CertificateRequest)) []byte {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "door"}}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func TestRequestRefused(t *testing.T) {
	s := newSite(t, "school")
	key := newKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := signedRequest(t, key, nil)
	block, _ := pem.Decode(good)
	tampered := bytes.Clone(block.Bytes)
	tampered[bytes.Index(tampered, []byte("door"))] = 'm' // "moor"; the signature is of "door"
	asked := func(change func(*x509.CertificateRequest)) []byte { return signedRequest(t, key, change) }
	for name, test := range map[string]struct {
		csr  []byte
		want string
	}{
		"nothing":            {nil, "PEM"},
		"text":               {[]byte("door"), "PEM"},
		"too long":           {append(bytes.Clone(good), strings.Repeat("\n", pki.MaxRequest)...), "bytes"},
		"two":                {append(bytes.Clone(good), good...), "follows"},
		"a certificate":      {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}), "CERTIFICATE"},
		"a private key":      {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("x")}), "never leave"},
		"damaged":            {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: block.Bytes[:50]}), "damaged"},
		"P-384":              {signedRequest(t, p384, nil), "P-256"},
		"RSA":                {signedRequest(t, rsaKey, nil), "P-256"},
		"Ed25519":            {signedRequest(t, edwards, nil), "P-256"},
		"SHA-512":            {asked(func(r *x509.CertificateRequest) { r.SignatureAlgorithm = x509.ECDSAWithSHA512 }), "SHA-256"},
		"tampered":           {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: tampered}), "signature"},
		"another device":     {asked(func(r *x509.CertificateRequest) { r.Subject.CommonName = "gate" }), `"gate"`},
		"another device too": {asked(func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "urn", Opaque: "edgelens:device:gate"}} }), `"gate"`},
		"a node":             {asked(func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "urn", Opaque: "edgelens:node:1"}} }), "URI"},
		"two names": {asked(func(r *x509.CertificateRequest) {
			r.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "admin"}}
		}), "admin"},
		"a host":     {asked(func(r *x509.CertificateRequest) { r.DNSNames = []string{"edge.example"} }), "host names"},
		"an address": {asked(func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} }), "host names"},
		"a mailbox":  {asked(func(r *x509.CertificateRequest) { r.EmailAddresses = []string{"a@b.example"} }), "host names"},
		"to be an authority": {asked(func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}}}
		}), "2.5.29.19"},
		"to be a server": {asked(func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: []byte{0x30, 10, 6, 8, 43, 6, 1, 5, 5, 7, 3, 1}}}
		}), "2.5.29.37"},
		"something unknown": {asked(func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}}
		}), "1.2.3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Enroll(t.Context(), "door", test.csr, 0)
			if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), test.want) || s.Certified("door") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	// What openssl asks for besides a name is left out; no name at all is fine, since the operator has given it.
	withOrganization := asked(func(r *x509.CertificateRequest) {
		r.Subject = pkix.Name{Organization: []string{"School"}, Country: []string{"DE"}}
	})
	issued, err := s.Enroll(t.Context(), "door", withOrganization, 0)
	if err != nil {
		t.Fatal(err)
	}
	if subject := parsed(t, issued).Subject.String(); subject != "CN=door" {
		t.Errorf("%s", subject)
	}
}

func TestDeviceNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"1026700": true, "front-door_2.a:b": true, "admin": true, strings.Repeat("x", 64): true,
		"": false, ".": false, "..": false, "a/b": false, "+": false, "#": false, "a b": false, "ä": false, "a\x00": false, strings.Repeat("x", 65): false,
		"edgelens": false, "edgelens-0a1b": false, "EdgeLens-x": false, "*": false, "$SYS": false,
	} {
		if err := pki.CheckDevice(name); (err == nil) != ok || err != nil && !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	key := newKey(f)
	f.Add(signedRequest(f, key, nil))
	f.Add(signedRequest(f, key, func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "urn", Opaque: "edgelens:device:door"}} }))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"))
	s := newSite(f, "school")
	f.Fuzz(func(t *testing.T, csr []byte) {
		issued, err := s.Enroll(t.Context(), "door", csr, 0)
		if err != nil {
			if !errors.Is(err, edgelens.ErrInvalid) && !errors.Is(err, edgelens.ErrConflict) {
				t.Errorf("%v", err)
			}
			return
		}
		if c := parsed(t, issued); c.IsCA || c.Subject.CommonName != "door" || len(c.URIs) != 1 || len(c.DNSNames) > 0 {
			t.Errorf("%+v", c)
		}
	})
}
