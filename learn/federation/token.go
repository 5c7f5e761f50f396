package federation

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"edgelens"
)

// A token is elf_<secret>.<key>: 32 random bytes in lower-case base32 (RFC 4648) without padding, and the id of the
// coordinator's public key, so that a node knows whom it joins.
const (
	tokenPrefix   = "elf_"
	tokenChars    = 52
	tokenAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
	keyIDChars    = 43
)

// How long a token can be used.
const (
	DefaultTokenTime = 30 * time.Minute
	MinTokenTime     = time.Minute
	MaxTokenTime     = 7 * 24 * time.Hour
)

// Token invites a node. It is never sent: a node proves that it has it.
type Token struct {
	secret string
	// KeyID is the id of the coordinator's public key.
	KeyID string
}

// NewToken returns a random token of the coordinator with that key.
func NewToken(keyID string) Token {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	return Token{base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding).EncodeToString(secret[:]), keyID}
}

// ParseToken reads a token. Its error wraps edgelens.ErrInvalid and has nothing of the text.
func ParseToken(text string) (Token, error) {
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	secret, keyID, two := strings.Cut(rest, ".")
	const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if !ok || !two || len(secret) != tokenChars || strings.Trim(secret, tokenAlphabet) != "" || len(keyID) != keyIDChars || strings.Trim(keyID, base64URL) != "" {
		return Token{}, fmt.Errorf("%w: this is no token of a federation; `edgelens federation invite NAME` prints one", edgelens.ErrInvalid)
	}
	return Token{secret, keyID}, nil
}

// String returns the text that ParseToken reads.
func (t Token) String() string { return tokenPrefix + t.secret + "." + t.KeyID }

// hash is what the coordinator keeps.
func (t Token) hash() []byte {
	sum := sha256.Sum256([]byte(tokenPrefix + t.secret))
	return sum[:]
}

// Hash returns what the coordinator keeps of the token, in hexadecimal: with it, it can check a proof.
func (t Token) Hash() string { return hex.EncodeToString(t.hash()) }

// ID returns the name of the token, by which the coordinator finds it.
func (t Token) ID() string { return tokenID(t.hash()) }

// Proof returns what proves to the coordinator that who has the key has the token: HMAC-SHA256 over the id of the key.
func (t Token) Proof(keyID string) string { return proof(t.hash(), keyID) }

// TokenID returns the name of the token with that hash.
func TokenID(hash string) string {
	raw, _ := hex.DecodeString(hash) // it is one
	return tokenID(raw)
}

// CheckProof reports whether a proof is that of the token with that hash, for the key with that id.
func CheckProof(hash, given, keyID string) bool {
	raw, err := hex.DecodeString(hash)
	return err == nil && hmac.Equal([]byte(proof(raw, keyID)), []byte(given))
}

func tokenID(hash []byte) string {
	sum := sha256.Sum256(append([]byte("id:"), hash...))
	return hex.EncodeToString(sum[:8])
}

func proof(hash []byte, keyID string) string {
	mac := hmac.New(sha256.New, hash)
	mac.Write([]byte(keyID))
	return hex.EncodeToString(mac.Sum(nil))
}
