// Package keys makes, stores and names the private keys of nodes and devices: P-256, in PKCS#8 (RFC 5958) as PEM
// (RFC 7468). Its functions are safe for use by many goroutines.
package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"edgelens"
	"edgelens/internal/atomicfile"
)

// maxFile is the most bytes of a file with a key.
const maxFile = 16 << 10

// blockType is that of PKCS#8.
const blockType = "PRIVATE KEY"

// New returns a new key.
func New() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// Marshal returns a key as PEM.
func Marshal(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write a private key: %w: %w", edgelens.ErrInvalid, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der}), nil
}

// Parse parses a key from PEM. The error wraps ErrInvalid for what is no single P-256 key in PKCS#8, and has nothing of
// the text.
func Parse(text []byte) (*ecdsa.PrivateKey, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, fmt.Errorf("%w: there is no private key in PEM", edgelens.ErrInvalid)
	case block.Type == "EC PRIVATE KEY":
		return nil, fmt.Errorf("%w: the private key is in the form SEC 1; `openssl pkcs8 -topk8 -nocrypt` converts it to PKCS#8", edgelens.ErrInvalid)
	case block.Type != blockType:
		return nil, fmt.Errorf("%w: it has a %q where a private key must be", edgelens.ErrInvalid, block.Type)
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, fmt.Errorf("%w: there is more than one private key", edgelens.ErrInvalid)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: the private key is damaged", edgelens.ErrInvalid)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: the private key must be an elliptic-curve key of P-256", edgelens.ErrInvalid)
	}
	return key, nil
}

// Load reads a key from a file. The error wraps ErrNotFound where there is none, and ErrInvalid where others than its
// owner may read it, or as that of Parse does.
func Load(path string) (*ecdsa.PrivateKey, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the private key %s: %w", path, edgelens.ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read the private key %s: %w", path, err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("read the private key %s: %w: others may read it; run chmod 600 %[1]s", path, edgelens.ErrInvalid)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("read the private key %s: %w: it has %d bytes", path, edgelens.ErrInvalid, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the private key %s: %w", path, err)
	}
	key, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the private key %s: %w", path, err)
	}
	return key, nil
}

// Store writes a key to a file of mode 0600, in place of what is there.
func Store(path string, key *ecdsa.PrivateKey) error {
	text, err := Marshal(key)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, text, 0o600); err != nil {
		return fmt.Errorf("write the private key %s: %w", path, err)
	}
	return nil
}

// LoadOrNew is Load, and makes and stores a key where there is none.
func LoadOrNew(path string) (*ecdsa.PrivateKey, error) {
	key, err := Load(path)
	if !errors.Is(err, edgelens.ErrNotFound) {
		return key, err
	}
	if key, err = New(); err != nil {
		return nil, err
	}
	return key, Store(path, key)
}

// ID names a public key: its JWK thumbprint with SHA-256 (RFC 7638), in base64url, 43 characters.
func ID(key *ecdsa.PublicKey) (string, error) {
	point, err := key.Bytes() // 4, and the coordinates of 32 bytes each
	if err != nil || key.Curve != elliptic.P256() {
		return "", fmt.Errorf("name a public key: %w: it is not of P-256", edgelens.ErrInvalid)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"}`))
	return b64(sum[:]), nil
}

// IsID reports whether a text has the form of an ID.
func IsID(text string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(sum) == sha256.Size && !strings.ContainsAny(text, "\r\n")
}
