// Package signing signs what the service states, with the key of the node, and verifies such signatures: detached JSON Web
// Signatures (RFC 7515, appendix F) by ES256. The key is in the data folder; public keys are published as a JSON Web Key
// Set (RFC 7517), those of former keys, too. docs/adr/0050-signed-results.md has the reasons.
//
// A JSON object that is signed has its signature in its member "signature", over the canonical form (RFC 8785) of the
// object without it. The signature of other bytes, such as the body of a response, is in a header beside them.
package signing

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"edgelens"
	"edgelens/internal/jcs"
)

const (
	// Header is the header of HTTP with the signature of a body's bytes.
	Header = "Edgelens-Signature"
	// maxSignature is the most characters of a signature; ours have about 205.
	maxSignature = 1024
	// headerIssued is the header parameter with the time of signing, in seconds since 1970.
	headerIssued = "iat"
)

// sign returns the detached signature of a payload: header, nothing, and signature in base64url, separated by points.
func sign(key *ecdsa.PrivateKey, id string, at time.Time, payload []byte) (string, error) {
	options := (&jose.SignerOptions{}).WithHeader("kid", id).WithHeader(headerIssued, at.Unix())
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.DetachedCompactSerialize()
}

// Proof is what a signature proves: that the holder of the key signed exactly this, at a time by the clock of the signer.
type Proof struct {
	KeyID    string
	SignedAt time.Time
}

// Keys are public keys by their ids.
type Keys map[string]*ecdsa.PublicKey

// Verify checks the detached signature of a payload. The error wraps ErrInvalid and is a sentence with the cause.
func (k Keys) Verify(signature string, payload []byte) (Proof, error) {
	header, err := readHeader(signature)
	if err != nil {
		return Proof{}, err
	}
	key, known := k[header.KeyID]
	if !known {
		return Proof{}, fmt.Errorf("%w: the signature is by the key %q, which is not among the public keys", edgelens.ErrInvalid, header.KeyID)
	}
	signed, err := jose.ParseDetached(signature, payload, []jose.SignatureAlgorithm{jose.ES256})
	if err == nil {
		err = signed.DetachedVerify(payload, key)
	}
	if err != nil {
		return Proof{}, fmt.Errorf("%w: the signature does not match: the text was changed, or is not what the key %s signed", edgelens.ErrInvalid, header.KeyID)
	}
	return Proof{KeyID: header.KeyID, SignedAt: time.Unix(header.Issued, 0).UTC()}, nil
}

// header is the protected header of a signature.
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Issued    int64  `json:"iat"`
}

// readHeader reads the header of a detached signature; it accepts those of sign alone.
func readHeader(signature string) (h header, err error) {
	problem := func(text string) error {
		return fmt.Errorf("%w: the signature %s", edgelens.ErrInvalid, text)
	}
	first, rest, _ := strings.Cut(signature, ".")
	payload, _, three := strings.Cut(rest, ".")
	switch {
	case len(signature) > maxSignature:
		return h, problem("is too long")
	case !three:
		return h, problem("has not the form of a detached JWS: header..signature")
	case payload != "":
		return h, problem("is not detached: it has a payload of its own")
	}
	text, err := jose64.DecodeString(first)
	if err != nil {
		return h, problem("has a damaged header")
	}
	members := map[string]json.RawMessage{}
	if canonical, err := jcs.Canonicalize(text); err != nil || json.Unmarshal(canonical, &members) != nil || json.Unmarshal(canonical, &h) != nil {
		return h, problem("has a damaged header")
	}
	if h.Algorithm != string(jose.ES256) {
		return h, problem(fmt.Sprintf("is by the algorithm %.20q; only ES256 is accepted", h.Algorithm))
	}
	if len(members) != 3 || h.KeyID == "" || h.Issued <= 0 || h.Issued > maxTime {
		return h, problem("must have alg, kid and iat in its header, and nothing else")
	}
	return h, nil
}

// maxTime is the last second of the year 9999.
const maxTime = 253402300799
