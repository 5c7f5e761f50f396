package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"slices"

	"edgelens"
)

// JWK is a public key of P-256 as a JSON Web Key (RFC 7517, RFC 7518 6.2).
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	KeyID     string `json:"kid,omitempty"`
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
}

// NewJWK returns the form of a key. The error wraps ErrInvalid for a key of another curve.
func NewJWK(key *ecdsa.PublicKey) (JWK, error) {
	id, err := ID(key)
	if err != nil {
		return JWK{}, err
	}
	point, err := key.Bytes()
	if err != nil {
		return JWK{}, err
	}
	return JWK{KeyType: "EC", Curve: "P-256", X: base64.RawURLEncoding.EncodeToString(point[1:33]), Y: base64.RawURLEncoding.EncodeToString(point[33:]), KeyID: id}, nil
}

// Key returns the key. The error wraps ErrInvalid for one of another kind or curve, or a point that is not on it.
func (j JWK) Key() (*ecdsa.PublicKey, error) {
	if j.KeyType != "EC" || j.Curve != "P-256" {
		return nil, fmt.Errorf("%w: the key must be of type EC and curve P-256, not %.20q and %.20q", edgelens.ErrInvalid, j.KeyType, j.Curve)
	}
	x, xErr := base64.RawURLEncoding.Strict().DecodeString(j.X)
	y, yErr := base64.RawURLEncoding.Strict().DecodeString(j.Y)
	if xErr != nil || yErr != nil || len(x) != 32 || len(y) != 32 {
		return nil, fmt.Errorf("%w: x and y must be 32 bytes each in base64url", edgelens.ErrInvalid)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, fmt.Errorf("%w: the point is not on the curve", edgelens.ErrInvalid)
	}
	return key, nil
}
