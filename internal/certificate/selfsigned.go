package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/atomicfile"
)

// MaxDays is the maximum validity: Apple's systems refuse certificates of servers that are valid for longer, also those
// that a user has installed.
const MaxDays = 825

// backdated is how long before its making a certificate is valid: clocks of devices run late.
const backdated = 24 * time.Hour

// SelfSigned describes a certificate that no authority has signed: clients trust it once it is installed on them, or
// compare its fingerprint.
type SelfSigned struct {
	// Hosts are the names and addresses of the machine that clients use; at least one.
	Hosts []string
	// Days is its validity, 1 to MaxDays.
	Days int
	// Now is the time of its making.
	Now time.Time
}

// HostList returns the hosts in order, once each.
func (s SelfSigned) HostList() []string { return distinct(s.Hosts) }

// distinct returns names in order, once each.
func distinct(names []string) []string {
	names = slices.Sorted(slices.Values(names))
	return slices.Compact(names)
}

// Hosts returns those by which this machine is reached, as far as it knows: its name, with and without .local,
// localhost, and its addresses.
func Hosts() []string {
	hosts := []string{"localhost"}
	if name, err := os.Hostname(); err == nil && name != "" {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		first, _, _ := strings.Cut(name, ".")
		hosts = append(hosts, name, first, first+".local")
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		addresses = nil // the names are left
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && !network.IP.IsLinkLocalUnicast() {
			hosts = append(hosts, network.IP.String())
		}
	}
	return distinct(hosts)
}

// Make makes a certificate with a new key (ECDSA, P-256), and returns both in PEM. The error wraps
// edgelens.ErrInvalid for a bad description.
func (s SelfSigned) Make() (certificate, key []byte, err error) {
	if s.Days < 1 || s.Days > MaxDays {
		return nil, nil, fmt.Errorf("make a certificate: %w: it can be valid for 1 to %d days, not %d", edgelens.ErrInvalid, MaxDays, s.Days)
	}
	template, err := s.template()
	if err != nil {
		return nil, nil, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a private key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

func (s SelfSigned) template() (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "edgelens"},
		NotBefore: s.Now.Add(-backdated), NotAfter: s.Now.Add(-backdated).AddDate(0, 0, s.Days),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, host := range distinct(s.Hosts) {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		if host == "" || strings.ContainsAny(host, "/: \t\r\n\"") {
			return nil, fmt.Errorf("make a certificate: %w: %q is neither a host name nor an address; give it without https:// and port", edgelens.ErrInvalid, host)
		}
		template.DNSNames = append(template.DNSNames, strings.ToLower(host))
	}
	if len(s.Hosts) == 0 {
		return nil, fmt.Errorf("make a certificate: %w: it needs a host name or an address", edgelens.ErrInvalid)
	}
	return template, nil
}

// The names of the files that Write writes.
const (
	CertificateName = "cert.pem"
	KeyName         = "key.pem"
)

// Write makes a certificate and writes it, and its key for this user alone, into a folder, which is created if missing.
// Existing files are an ErrConflict unless replace is set. fingerprint is the SHA-256 of the certificate in hexadecimal
// bytes with colons, as browsers show it.
func (s SelfSigned) Write(folder string, replace bool) (files Files, fingerprint string, err error) {
	files = Files{Certificate: filepath.Join(folder, CertificateName), Key: filepath.Join(folder, KeyName)}
	certificate, key, err := s.Make()
	if err != nil {
		return Files{}, "", err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return Files{}, "", fmt.Errorf("write the certificate: %w", err)
	}
	if !replace {
		for _, path := range []string{files.Certificate, files.Key} {
			if _, err := os.Lstat(path); err == nil {
				return Files{}, "", fmt.Errorf("write the certificate: %w: there is %s already; --replace replaces it, and clients that trust it must trust the new one", edgelens.ErrConflict, path)
			}
		}
	}
	// The key first: a service that follows the files reads both once the certificate has changed.
	err = errors.Join(atomicfile.Write(files.Key, key, 0o600), atomicfile.Write(files.Certificate, certificate, 0o644))
	if err != nil {
		return Files{}, "", fmt.Errorf("write the certificate: %w", err)
	}
	return files, Fingerprint(certificate), nil
}

// Fingerprint returns the SHA-256 of the first certificate in a PEM text, in hexadecimal bytes with colons; "" where there
// is none.
func Fingerprint(certificate []byte) string {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}
