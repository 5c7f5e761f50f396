// Package envelope seals and opens the messages of devices without TLS: a JSON Web Signature by ES256 (RFC 7515) of the
// message, by the key of the device, in a JSON Web Encryption by ECDH-ES and A256GCM (RFC 7516), to the key of the node,
// both in compact serialization.
//
// What makes a message that of a device, new, and for this node, is in the signed header: kid, iat with jti, or ctr for a
// device without a clock, and aud. docs/adr/0051-envelopes.md has the reasons, docs/signatures.md the form.
package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"edgelens"
	"edgelens/identity/keys"
	"edgelens/internal/jcs"
)

// The reasons for which an envelope is refused, as in metrics.
const (
	ReasonForm       = "form"       // it has not the form of one
	ReasonAlgorithm  = "algorithm"  // its algorithms are others
	ReasonHeader     = "header"     // a header has too much, too little, or what cannot be read
	ReasonRecipient  = "recipient"  // it is encrypted to another key
	ReasonDecryption = "decryption" // it was changed, or cut off
	ReasonKey        = "key"        // no device has the key
	ReasonSignature  = "signature"  // it is not by that key
	ReasonAudience   = "audience"   // it is for another node
	ReasonTime       = "time"       // its time is too far from ours
	ReasonReplay     = edgelens.EnvelopeReplay
)

// Reasons are the reasons for which an envelope is refused.
func Reasons() []string {
	return []string{
		ReasonForm, ReasonAlgorithm, ReasonHeader, ReasonRecipient, ReasonDecryption, ReasonKey, ReasonSignature, ReasonAudience, ReasonTime, ReasonReplay,
	}
}

func refuse(reason, format string, args ...any) error {
	return &edgelens.EnvelopeRefusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

const (
	// maxHeader is the most characters of a header.
	maxHeader = 2048
	// maxMembers is the most members of a header.
	maxMembers = 12
	// maxID is the most characters of jti.
	maxID = 64
	// The algorithms.
	signatureAlgorithm = jose.ES256
	keyAlgorithm       = jose.ECDH_ES
	contentEncryption  = jose.A256GCM
)

// b64 is the base64 of JOSE.
var b64 = base64.RawURLEncoding.Strict()

// outerMembers are the members that the header of the encryption may have. The others of the standards are refused: they
// compress (zip), fetch keys (jku, x5u), cost time (p2c), or demand what is not done here (crit).
var outerMembers = []string{"alg", "apu", "apv", "cty", "enc", "epk", "kid", "typ"}

// innerMembers are the members that the header of the signature may have.
var innerMembers = []string{"alg", "aud", "ctr", "cty", "iat", "jti", "kid", "typ"}

// outerHeader is what is read of the header of the encryption.
type outerHeader struct {
	Algorithm  string          `json:"alg"`
	Encryption string          `json:"enc"`
	KeyID      string          `json:"kid"`
	Ephemeral  json.RawMessage `json:"epk"`
}

// innerHeader is what is read of the header of the signature.
type innerHeader struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Audience  string `json:"aud"`
	// Issued is in seconds since 1970.
	Issued  *int64 `json:"iat"`
	ID      string `json:"jti"`
	Counter *int64 `json:"ctr"`
}

// readHeader reads a header: one JSON object with some of the members, each once.
func readHeader(encoded []byte, allowed []string, into any) error {
	if len(encoded) > maxHeader {
		return refuse(ReasonHeader, "The envelope has a header of %d characters; %d are the limit.", len(encoded), maxHeader)
	}
	text, err := b64.AppendDecode(nil, encoded)
	if err != nil {
		return refuse(ReasonHeader, "A header of the envelope is not base64url.")
	}
	canonical, err := jcs.Canonicalize(text)
	if err != nil {
		return refuse(ReasonHeader, "A header of the envelope is not JSON, or has a member twice.")
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(canonical, &members) != nil || members == nil || len(members) > maxMembers {
		return refuse(ReasonHeader, "A header of the envelope is not a small JSON object.")
	}
	for name := range members {
		if !slices.Contains(allowed, name) {
			return refuse(ReasonHeader, "A header of the envelope has the member %.20q, which is not accepted there.", name)
		}
	}
	if err := json.Unmarshal(canonical, into); err != nil {
		return refuse(ReasonHeader, "A member of a header of the envelope is not of its type.")
	}
	return nil
}

// parts splits a compact serialization; nil where it has another number of parts.
func parts(token []byte, n int) [][]byte {
	if bytes.Count(token, []byte(".")) != n-1 {
		return nil
	}
	return bytes.Split(token, []byte("."))
}

// IsSealed reports whether a payload is meant as an envelope: it begins as the header of a compact serialization, which
// neither JSON nor an image does.
func IsSealed(payload []byte) bool {
	payload = bytes.TrimSpace(payload[:min(len(payload), maxHeader)])
	first, _, found := bytes.Cut(payload, []byte("."))
	if !found || !bytes.HasPrefix(first, []byte("ey")) { // {" in base64
		return false
	}
	text, err := b64.AppendDecode(nil, first)
	var header struct {
		Algorithm *string `json:"alg"`
	}
	return err == nil && json.Unmarshal(text, &header) == nil && header.Algorithm != nil
}

// checkEphemeral refuses a key of the sender that is not a point of P-256: its use could reveal ours.
func checkEphemeral(text json.RawMessage) error {
	var key keys.JWK
	if len(text) == 0 || json.Unmarshal(text, &key) != nil {
		return refuse(ReasonHeader, "The envelope has no ephemeral key (epk).")
	}
	if _, err := key.Key(); err != nil {
		return refuse(ReasonAlgorithm, "The ephemeral key (epk) of the envelope is not a point of P-256.")
	}
	return nil
}
