package federation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/internal/jcs"
)

// Keys sign for one side, and verify what the other has signed. They must be safe for use by many goroutines.
type Keys interface {
	// Sign returns the detached JWS of a text in canonical form.
	Sign(canonical []byte) (signature string, err error)
	// PublicKey returns the public key that verifies it, a JWK.
	PublicKey() (json.RawMessage, error)
	// KeyID returns the id of a public key, its thumbprint (RFC 7638). The error wraps edgelens.ErrInvalid.
	KeyID(jwk []byte) (string, error)
	// Verify checks a signature by a public key. The error wraps edgelens.ErrInvalid.
	Verify(jwk []byte, signature string, canonical []byte) error
}

// The members that Seal adds.
const (
	memberKind      = "kind"
	memberSignature = "signature"
)

// ErrUnsigned: a message has no signature. It is an edgelens.ErrInvalid.
var ErrUnsigned = fmt.Errorf("%w: the message is not signed", edgelens.ErrInvalid)

// ErrSignature: a message is signed by another key, or was changed. It is an edgelens.ErrInvalid.
var ErrSignature = fmt.Errorf("%w: the signature does not match", edgelens.ErrInvalid)

// Seal returns a value, which must be a struct or map with JSON tags, as a signed message of that kind.
func Seal(keys Keys, kind string, value any) ([]byte, error) {
	members, err := membersOf(value)
	if err != nil {
		return nil, fmt.Errorf("sign a message: %w", err)
	}
	members[memberKind] = kind
	canonical, err := jcs.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("sign a message: %w", err)
	}
	if members[memberSignature], err = keys.Sign(canonical); err != nil {
		return nil, fmt.Errorf("sign a message: %w", err)
	}
	return jcs.Marshal(members)
}

// membersOf returns the members of a value's JSON object, without those of Seal.
func membersOf(value any) (map[string]any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
	}
	members := make(map[string]any, len(raw)+2)
	for name, one := range raw {
		members[name] = one
	}
	return members, nil
}

// Open verifies a message of that kind by the public key of its sender, and reads it. Its error wraps ErrUnsigned,
// ErrSignature, or edgelens.ErrInvalid for what is no such message. Members that are not known are errors.
func Open(keys Keys, jwk []byte, kind string, message []byte, into any) error {
	signature, unsigned, rest, err := split(kind, message)
	if err != nil {
		return err
	}
	if err := keys.Verify(jwk, signature, unsigned); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return strict(rest, into)
}

// Peek reads a message without its signature being verified: to learn whose key is to verify it. Members that are not in
// into are left out.
func Peek(message []byte, into any) error {
	if len(message) > MaxMessage {
		return fmt.Errorf("%w: the message is too large", edgelens.ErrInvalid)
	}
	if err := json.Unmarshal(message, into); err != nil {
		return fmt.Errorf("%w: the message cannot be read: %w", edgelens.ErrInvalid, err)
	}
	return nil
}

// split returns the signature of a message of that kind, what it covers, and the members but those of Seal.
func split(kind string, message []byte) (signature string, unsigned, rest []byte, err error) {
	canonical, err := jcs.Canonicalize(message)
	if err != nil {
		return "", nil, nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(canonical, &members); err != nil || members == nil {
		return "", nil, nil, fmt.Errorf("%w: the message is no JSON object", edgelens.ErrInvalid)
	}
	var given string
	if json.Unmarshal(members[memberKind], &given) != nil || given != kind {
		return "", nil, nil, fmt.Errorf("%w: the message is of the kind %.40q, not %q", edgelens.ErrInvalid, given, kind)
	}
	if json.Unmarshal(members[memberSignature], &signature) != nil || signature == "" {
		return "", nil, nil, ErrUnsigned
	}
	delete(members, memberSignature)
	if unsigned, err = jcs.Marshal(members); err != nil {
		return "", nil, nil, err
	}
	delete(members, memberKind)
	rest, err = jcs.Marshal(members)
	return signature, unsigned, rest, err
}

// strict reads a JSON object; members that are not known are errors.
func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: the message cannot be read, perhaps because the other side has another version: %w", edgelens.ErrInvalid, err)
	}
	return nil
}

// IsSignatureError reports whether a message was refused for its signature.
func IsSignatureError(err error) bool {
	return errors.Is(err, ErrUnsigned) || errors.Is(err, ErrSignature)
}
