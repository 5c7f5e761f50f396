package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgelens"
	"edgelens/identity/keys"
)

func TestStoreAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.key")
	if _, err := keys.Load(path); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("without a file: %v", err)
	}
	key, err := keys.LoadOrNew(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := keys.LoadOrNew(path)
	if err != nil || !key.Equal(again) {
		t.Errorf("the second time: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.LoadOrNew(path); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("readable by others: %v", err)
	}
}

func block(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestParseRefuses(t *testing.T) {
	key, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	good, err := keys.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	wrongCurve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return block("PRIVATE KEY", der, err)
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	for name, text := range map[string][]byte{
		"empty":             nil,
		"text":              []byte("no key"),
		"P-384":             pkcs8(wrongCurve),
		"Ed25519":           pkcs8(edwards),
		"SEC 1":             block("EC PRIVATE KEY", sec1, err),
		"a certificate":     block("CERTIFICATE", []byte("x"), nil),
		"damaged":           block("PRIVATE KEY", []byte("damaged"), nil),
		"two":               append(bytes.Clone(good), good...),
		"cut in the middle": good[:len(good)/2],
	} {
		if _, err := keys.Parse(text); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The example of RFC 7638, 3.1 is for RSA; this is the thumbprint of the P-256 key of RFC 7517, A.1, by Python's hashlib.
func TestID(t *testing.T) {
	coordinate := func(text string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4},
		coordinate("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"), coordinate("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM")))
	if err != nil {
		t.Fatal(err)
	}
	id, err := keys.ID(key)
	if err != nil || id != "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s" {
		t.Errorf("%q, %v", id, err)
	}
	wrongCurve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := keys.ID(&wrongCurve.PublicKey); err == nil {
		t.Errorf("a key of P-384 has the id %q", id)
	}
}

// OpenSSL reads our keys, and we read its.
func TestOpenSSL(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl on PATH")
	}
	folder := t.TempDir()
	ours, theirs := filepath.Join(folder, "ours.pem"), filepath.Join(folder, "theirs.pem")
	if _, err := keys.LoadOrNew(ours); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "pkey", "-in", ours, "-text", "-noout").CombinedOutput(); err != nil || !strings.Contains(string(out), "prime256v1") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := exec.Command(program, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", theirs).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Chmod(theirs, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Load(theirs); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	key, err := keys.New()
	if err != nil {
		f.Fatal(err)
	}
	good, err := keys.Marshal(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := keys.Parse(text)
		if err != nil {
			return
		}
		if _, err := keys.ID(&key.PublicKey); err != nil {
			t.Errorf("a key without an id: %v", err)
		}
	})
}
