package event

import (
	"encoding/json"

	"edgelens"
	"edgelens/internal/chain"
)

// SignatureBytes is the most that a signature adds to the JSON of an event.
const SignatureBytes = 256

// Signer signs JSON objects.
type Signer interface {
	// SignObject returns a JSON object with its signature in the member "signature", over its canonical form (RFC 8785)
	// without it; unchanged where it cannot be signed.
	SignObject(object []byte) []byte
	// SignBytes returns the detached signature of bytes; empty where they cannot be signed.
	SignBytes(text []byte) string
}

// JSON returns an event, or another object, as it is delivered: signed, where there is a signer.
func (c Composer) JSON(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil || c.Signer == nil {
		return text, err
	}
	return c.Signer.SignObject(text), nil
}

// Reduce is Reduce for the event with its signature.
func (c Composer) Reduce(e CloudEvent, limit int) CloudEvent {
	if c.Signer != nil && limit > 0 {
		limit = max(1, limit-SignatureBytes)
	}
	return Reduce(e, limit)
}

// Digest returns the digest of a record's event in the chain of its device.
func Digest(d *edgelens.Delivery) (string, error) {
	data, err := json.Marshal(Composer{}.Compose(d, d.Record.ReceivedAt).Data)
	if err != nil {
		return "", err
	}
	return chain.Digest(d.Record.ID, data)
}
