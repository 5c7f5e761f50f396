package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"
)

// A token is elk_<id>_<secret>: the id of its key, and 32 random bytes, in lower-case base32 (RFC 4648) without padding.
const (
	prefix      = "elk_"
	idBytes     = 5
	secretBytes = 32
	idLength    = 8  // characters of idBytes
	secretChars = 52 // characters of secretBytes
	tokenLength = len(prefix) + idLength + len("_") + secretChars

	alphabet = "abcdefghijklmnopqrstuvwxyz234567"
)

var encoding = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// random returns n random bytes as text.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return encoding.EncodeToString(b)
}

// newToken returns a token and the id of its key.
func newToken() (token, id string) {
	id = random(idBytes)
	return prefix + id + "_" + random(secretBytes), id
}

// parseToken returns the id of a token's key.
func parseToken(token string) (id string, ok bool) {
	if len(token) != tokenLength || !strings.HasPrefix(token, prefix) || token[len(prefix)+idLength] != '_' {
		return "", false
	}
	id, secret := token[len(prefix):len(prefix)+idLength], token[len(prefix)+idLength+1:]
	return id, isBase32(id) && isBase32(secret)
}

func isBase32(text string) bool { return strings.Trim(text, alphabet) == "" }

// isID reports whether text is the id of a key.
func isID(text string) bool { return len(text) == idLength && isBase32(text) }

// hashOf is the hash that is kept of a token. A plain SHA-256 is enough: a slow hash protects passwords that people
// choose, of which an attacker can try all likely ones; of 2^256 random tokens none is likely. And it takes
// microseconds, for every request.
func hashOf(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// hashPrefix names the algorithm of a hash in a file.
const hashPrefix = "sha256:"

// formatHash returns a hash as it is in a file.
func formatHash(hash [sha256.Size]byte) string { return hashPrefix + hex.EncodeToString(hash[:]) }

// parseHash reads a hash of a file.
func parseHash(text string) (hash [sha256.Size]byte, ok bool) {
	digits, ok := strings.CutPrefix(text, hashPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(hash)) {
		return hash, false
	}
	_, err := hex.Decode(hash[:], []byte(digits))
	return hash, err == nil
}
