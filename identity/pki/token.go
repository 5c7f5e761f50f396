package pki

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"edgelens"
)

// An enrolment token is ele_<secret>: 32 random bytes in lower-case base32 (RFC 4648) without padding.
const (
	tokenPrefix   = "ele_"
	tokenBytes    = 32
	tokenChars    = 52 // of tokenBytes
	tokenAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
)

// How long an enrolment token can be used.
const (
	DefaultTokenTime = 30 * time.Minute
	MinTokenTime     = time.Minute
	MaxTokenTime     = 7 * 24 * time.Hour
)

// newToken returns a random token.
func newToken() string {
	var secret [tokenBytes]byte
	_, _ = rand.Read(secret[:]) // never fails
	return tokenPrefix + base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding).EncodeToString(secret[:])
}

// hashOf returns the hash that is kept of a token; false for what is none. SHA-256 is enough for 256 random bits.
func hashOf(token string) (hash [32]byte, ok bool) {
	secret, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(secret) != tokenChars || strings.Trim(secret, tokenAlphabet) != "" {
		return hash, false
	}
	return sha256.Sum256([]byte(token)), true
}

// errToken is the error of every token that cannot be used, so that it reveals nothing about others.
var errToken = fmt.Errorf("%w: the enrolment token is unknown, was used, or has expired; `edgelens device enroll NAME --token` makes another", edgelens.ErrUnauthorized)

// NewToken makes a token by which a device gets its first certificate, once, within that time; it replaces an earlier one for
// the same device. The token is not kept. Errors: edgelens.ErrInvalid for the id or a time that is not MinTokenTime to
// MaxTokenTime, ErrNotFound without an authority.
func (a *Authority) NewToken(ctx context.Context, device string, within, validity time.Duration) (token string, expires time.Time, err error) {
	if _, err := a.Certificate(); err != nil {
		return "", time.Time{}, err
	}
	if err := checkSubject(device, request{}, validity); err != nil {
		return "", time.Time{}, err
	}
	if within < MinTokenTime || within > MaxTokenTime {
		return "", time.Time{}, fmt.Errorf("make an enrolment token: %w: it can be used for %v to %v", edgelens.ErrInvalid, MinTokenTime, MaxTokenTime)
	}
	token = newToken()
	hash, _ := hashOf(token) // it is one
	now := a.parts.Now()
	expires = now.Add(within)
	err = a.parts.Store.AddEnrolmentToken(ctx, edgelens.EnrolmentToken{Hash: hash, Name: device, Validity: validity, Created: now, Expires: expires})
	if err != nil {
		return "", time.Time{}, err
	}
	a.parts.Log.Info("enrolment token made", "event", "enrolment_token_created", "name", device, "expires", expires)
	return token, expires, nil
}

// EnrollByToken is Enroll for the device that a token is for, which is used up if a certificate is issued. Errors:
// edgelens.ErrUnauthorized for a token that cannot be used, and those of Enroll.
func (a *Authority) EnrollByToken(ctx context.Context, token string, csr []byte) (edgelens.Certificate, error) {
	hash, ok := hashOf(token)
	if !ok {
		return edgelens.Certificate{}, errToken
	}
	stored, err := a.parts.Store.EnrolmentToken(ctx, hash)
	switch {
	case errors.Is(err, edgelens.ErrNotFound):
		return edgelens.Certificate{}, errToken
	case err != nil:
		return edgelens.Certificate{}, err
	case !stored.Used.IsZero(), !a.parts.Now().Before(stored.Expires):
		return edgelens.Certificate{}, errToken
	}
	parsed, err := parseRequest(csr)
	if err != nil {
		return edgelens.Certificate{}, err
	}
	issued, err := a.enroll(ctx, stored.Name, parsed, stored.Validity, &hash)
	if errors.Is(err, edgelens.ErrUnauthorized) { // used by another request meanwhile
		return edgelens.Certificate{}, errToken
	}
	return issued, err
}
