package pki_test

import (
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/keys"
	"edgelens/identity/pki"
)

// run runs a program in a folder, and returns what it wrote.
func run(t *testing.T, folder, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *site) write(folder string, files map[string][]byte) {
	s.t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// publish writes what clients get of an authority.
func (s *site) publish(folder string) {
	s.t.Helper()
	list, err := s.Revocations()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(folder, map[string][]byte{
		"ca.pem": must(s.PEM()), "crl.pem": pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}), "crl.der": list,
	})
}

// OpenSSL makes requests, and verifies certificates and revocation lists.
func TestOpenSSL(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl on PATH")
	}
	s, folder := newSite(t, "school"), t.TempDir()
	newRequest := func(name, subject string, how ...string) []byte {
		t.Helper()
		args := append([]string{"req", "-new", "-nodes", "-subj", subject, "-keyout", name + ".key", "-out", name + ".csr"}, how...)
		if out, err := run(t, folder, program, args...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return must(os.ReadFile(filepath.Join(folder, name+".csr")))
	}
	p256 := []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}
	issued, err := s.Enroll(t.Context(), "1026700", newRequest("door", "/C=DE/O=School/CN=1026700", p256...), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.write(folder, map[string][]byte{"door.pem": must(s.Chain(issued))})
	for name, how := range map[string][]string{
		"P-384":          {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"},
		"RSA":            {"-newkey", "rsa:2048"},
		"an authority":   append([]string{"-addext", "basicConstraints=critical,CA:TRUE"}, p256...),
		"a server":       append([]string{"-addext", "extendedKeyUsage=serverAuth"}, p256...),
		"another device": append([]string{"-addext", "subjectAltName=URI:urn:edgelens:device:1"}, p256...),
	} {
		if _, err := s.Enroll(t.Context(), "1026701", newRequest("bad", "/CN=1026701", how...), 0); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	verify := func(want string, args ...string) {
		t.Helper()
		s.publish(folder)
		out, err := run(t, folder, program, append([]string{"verify", "-x509_strict", "-purpose", "sslclient"}, args...)...)
		if (err == nil) != (want == "door.pem: OK") || !strings.Contains(out, want) {
			t.Errorf("openssl verify %v: %v\n%s", args, err, out)
		}
	}
	verify("door.pem: OK", "-CAfile", "ca.pem", "-crl_check", "-CRLfile", "crl.pem", "door.pem")
	for when, want := range map[time.Duration]string{
		-20 * time.Hour: "door.pem: OK", 6 * 24 * time.Hour: "door.pem: OK", // a clock that is off by a day, or nearly a week
		-30 * time.Hour: "not yet valid", pki.DefaultValidity + time.Hour: "expired",
	} {
		verify(want, "-attime", strconv.FormatInt(s.now.Add(when).Unix(), 10), "-CAfile", "ca.pem", "-crl_check", "-CRLfile", "crl.pem", "door.pem")
	}
	verify("unsuitable certificate purpose", "-purpose", "sslserver", "-CAfile", "ca.pem", "door.pem")
	newSite(t, "school").write(folder, map[string][]byte{"other.pem": must(newSite(t, "school").PEM())})
	verify("error door.pem", "-CAfile", "other.pem", "door.pem")
	if _, err := s.Revoke(t.Context(), "1026700"); err != nil {
		t.Fatal(err)
	}
	verify("certificate revoked", "-CAfile", "ca.pem", "-crl_check", "-CRLfile", "crl.pem", "door.pem")

	// The node's certificate is one of a server.
	node := must(os.ReadFile(filepath.Join(s.folder, "node.pem")))
	s.write(folder, map[string][]byte{"node.pem": node})
	if out, err := run(t, folder, program, "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile", "ca.pem", "-crl_check", "-CRLfile", "crl.pem", "node.pem"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

const pythonClient = `
import sys, datetime
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
step = sys.argv[1]
if step == "request":
    key = ec.generate_private_key(ec.SECP256R1())
    csr = (x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "door")]))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:edgelens:device:door")]), critical=False)
        .sign(key, hashes.SHA256()))
    open("key.pem", "wb").write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    open("door.csr", "wb").write(csr.public_bytes(serialization.Encoding.PEM))
else:
    ca = x509.load_pem_x509_certificate(open("ca.pem", "rb").read())
    leaf = x509.load_pem_x509_certificates(open("door.pem", "rb").read())[0]
    verified = verification.PolicyBuilder().store(verification.Store([ca])).build_client_verifier().verify(leaf, [])
    print("names", [s.value for s in verified.subjects])
    crl = x509.load_der_x509_crl(open("crl.der", "rb").read())
    assert crl.is_signature_valid(ca.public_key())
    print("revoked", crl.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None)
`

// Python's cryptography makes a request, and verifies the certificate and the revocation list.
func TestPython(t *testing.T) {
	program, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 on PATH")
	}
	folder := t.TempDir()
	if out, err := run(t, folder, program, "-c", "from cryptography.x509 import verification"); err != nil {
		t.Skipf("Python has no cryptography with x509.verification: %s", out)
	}
	s := newSite(t, "school")
	if out, err := run(t, folder, program, "-c", pythonClient, "request"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := keys.Load(filepath.Join(folder, "key.pem")); err == nil {
		t.Error("a key that others may read was loaded")
	}
	issued, err := s.Enroll(t.Context(), "door", must(os.ReadFile(filepath.Join(folder, "door.csr"))), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.write(folder, map[string][]byte{"door.pem": must(s.Chain(issued))})
	for _, want := range []string{"names ['urn:edgelens:device:door']\nrevoked False\n", "names ['urn:edgelens:device:door']\nrevoked True\n"} {
		s.publish(folder)
		if out, err := run(t, folder, program, "-c", pythonClient, "verify"); err != nil || out != want {
			t.Errorf("%v\n%s, want\n%s", err, out, want)
		}
		if s.Certified("door") {
			if _, err := s.Revoke(t.Context(), "door"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
