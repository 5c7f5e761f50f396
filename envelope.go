package edgelens

import (
	"context"
	"time"
)

// Opened is the message that was in an envelope.
type Opened struct {
	// Device is the one whose key signed it.
	Device  string
	Payload []byte
	// SentAt is the time at which it was sealed, by the clock of the device; zero where it has none, and counts.
	SentAt time.Time
	// Done must be called once: with true when the message was processed, which makes durable that the envelope was
	// accepted, and with false where it is to be sent again.
	Done func(ctx context.Context, processed bool) error
}

// EnvelopeReplay is the Reason of the refusal of an envelope that was accepted before.
const EnvelopeReplay = "replay"

// EnvelopeRefusal is why an envelope is refused, for good.
type EnvelopeRefusal struct {
	// Reason is a word for metrics: see package identity/envelope.
	Reason string
	// Detail is a sentence.
	Detail string
}

// Error returns the Detail.
func (r *EnvelopeRefusal) Error() string { return r.Detail }

// Unwrap returns ErrInvalid.
func (r *EnvelopeRefusal) Unwrap() error { return ErrInvalid }

// EnvelopeStamp is what distinguishes an envelope from a replayed one.
type EnvelopeStamp struct {
	// KeyID is that of the device's key.
	KeyID string
	// ID is unique among the envelopes by the key, and IssuedAt the time by the device's clock; both are zero for a device
	// without a clock, whose Counter grows from envelope to envelope. It is 0 for others.
	ID       string
	IssuedAt time.Time
	Counter  int64
	// Expires is until when a replay would be accepted by its time.
	Expires time.Time
}

// DeviceKey is the public key of a device.
type DeviceKey struct {
	// ID is its thumbprint (RFC 7638).
	ID     string
	Device string
	// Public is the key as PKIX, DER.
	Public []byte
	Added  time.Time
}
