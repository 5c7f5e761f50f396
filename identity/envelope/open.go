package envelope

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"edgelens"
	"edgelens/identity/keys"
)

// Config is which envelopes are accepted.
type Config struct {
	// Window is how far the time of an envelope may be from ours.
	Window time.Duration
}

// DefaultConfig accepts envelopes that waited at the broker for up to 12 hours.
func DefaultConfig() Config { return Config{Window: 12 * time.Hour} }

// Validate reports every invalid setting at once, each with its name.
func (c Config) Validate() error {
	if c.Window < time.Second || c.Window > 20*time.Hour {
		return fmt.Errorf("envelope_window must be 1s to 20h, not %v", c.Window)
	}
	return nil
}

// Keys finds the key of a device by its id; ok is false for an unknown one.
type Keys func(id string) (device string, key *ecdsa.PublicKey, ok bool)

// Guard remembers envelopes, also across restarts; package ledger implements it.
type Guard interface {
	// CheckStamp's error is an edgelens.ErrConflict, a sentence, for an envelope that was accepted before, or may have been.
	CheckStamp(ctx context.Context, stamp edgelens.EnvelopeStamp) error
	// NoteStamp makes durable that an envelope was accepted.
	NoteStamp(ctx context.Context, stamp edgelens.EnvelopeStamp) error
}

// Opener opens envelopes to one key. It is safe for use by many goroutines.
type Opener struct {
	config Config
	key    *ecdsa.PrivateKey
	id     string
	keys   Keys
	guard  Guard
	now    func() time.Time

	mu sync.Mutex
	// open are the envelopes that are being processed, and not noted yet.
	open map[stampKey]bool
}

type stampKey struct {
	key, id string
	counter int64
}

// NewOpener returns an Opener for a key of the node. now is the clock.
func NewOpener(config Config, key *ecdsa.PrivateKey, find Keys, guard Guard, now func() time.Time) (*Opener, error) {
	id, err := keys.ID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Opener{config: config, key: key, id: id, keys: find, guard: guard, now: now, open: map[stampKey]bool{}}, nil
}

// IsSealed is IsSealed.
func (o *Opener) IsSealed(payload []byte) bool { return IsSealed(payload) }

// Open opens an envelope. The error is an *edgelens.EnvelopeRefusal for one that is never accepted; others, of the Guard,
// are temporary.
func (o *Opener) Open(ctx context.Context, token []byte) (edgelens.Opened, error) {
	inner, err := o.decrypt(bytes.TrimSpace(token))
	if err != nil {
		return edgelens.Opened{}, err
	}
	device, payload, stamp, err := o.verify(inner)
	if err != nil {
		return edgelens.Opened{}, err
	}
	done, err := o.admit(ctx, stamp)
	if err != nil {
		return edgelens.Opened{}, err
	}
	return edgelens.Opened{Device: device, Payload: payload, SentAt: stamp.IssuedAt, Done: done}, nil
}

// decrypt returns the signature in an envelope.
func (o *Opener) decrypt(token []byte) ([]byte, error) {
	if parts(token, 3) != nil {
		return nil, refuse(ReasonForm, "The message is signed and not encrypted; the signature must be in a JWE.")
	}
	five := parts(token, 5)
	if five == nil {
		return nil, refuse(ReasonForm, "The envelope has not the five parts of a JWE; it may be cut off.")
	}
	var header outerHeader
	if err := readHeader(five[0], outerMembers, &header); err != nil {
		return nil, err
	}
	if header.Algorithm != string(keyAlgorithm) || header.Encryption != string(contentEncryption) {
		return nil, refuse(ReasonAlgorithm, "The envelope is encrypted by %.20q and %.20q; only %s and %s are accepted.", header.Algorithm, header.Encryption, keyAlgorithm, contentEncryption)
	}
	if err := checkEphemeral(header.Ephemeral); err != nil {
		return nil, err
	}
	if header.KeyID != o.id {
		return nil, refuse(ReasonRecipient, "The envelope is encrypted to the key %.50q, and that of this node is %s.", header.KeyID, o.id)
	}
	encrypted, err := jose.ParseEncryptedCompact(string(token), []jose.KeyAlgorithm{keyAlgorithm}, []jose.ContentEncryption{contentEncryption})
	if err != nil || len(five[1]) > 0 {
		return nil, refuse(ReasonForm, "The envelope is no JWE.")
	}
	inner, err := encrypted.Decrypt(o.key)
	if err != nil {
		return nil, refuse(ReasonDecryption, "The envelope cannot be decrypted: it was changed or cut off.")
	}
	return inner, nil
}

// verify returns what a device has signed.
func (o *Opener) verify(token []byte) (device string, payload []byte, stamp edgelens.EnvelopeStamp, err error) {
	three := parts(token, 3)
	if three == nil {
		return "", nil, stamp, refuse(ReasonForm, "There is no JWS in the envelope: the message is encrypted and not signed.")
	}
	var header innerHeader
	if err := readHeader(three[0], innerMembers, &header); err != nil {
		return "", nil, stamp, err
	}
	if header.Algorithm != string(signatureAlgorithm) {
		return "", nil, stamp, refuse(ReasonAlgorithm, "The message is signed by the algorithm %.20q; only %s is accepted.", header.Algorithm, signatureAlgorithm)
	}
	device, key, known := o.keys(header.KeyID)
	if !known {
		return "", nil, stamp, refuse(ReasonKey, "The message is signed by the key %.50q, which no device has; `edgelens device key add` adds it.", header.KeyID)
	}
	signed, err := jose.ParseSignedCompact(string(token), []jose.SignatureAlgorithm{signatureAlgorithm})
	if err == nil {
		payload, err = signed.Verify(key)
	}
	if err != nil {
		return "", nil, stamp, refuse(ReasonSignature, "The message is not what the key %s of the device %s signed.", header.KeyID, device)
	}
	stamp, err = o.stamp(header)
	return device, payload, stamp, err
}

// stamp checks what is in the signed header, but for a replay.
func (o *Opener) stamp(header innerHeader) (stamp edgelens.EnvelopeStamp, err error) {
	if header.Audience != o.id {
		return stamp, refuse(ReasonAudience, "The message is for the node with the key %.50q (aud), and that of this node is %s.", header.Audience, o.id)
	}
	stamp.KeyID = header.KeyID
	if header.Counter != nil {
		if stamp.Counter = *header.Counter; stamp.Counter < 1 {
			return stamp, refuse(ReasonHeader, "The counter of the message (ctr) must be at least 1.")
		}
	}
	if header.Issued == nil {
		if header.Counter == nil {
			return stamp, refuse(ReasonHeader, "The signed header has neither a time (iat) nor a counter (ctr), so that a replay could not be recognized.")
		}
		return stamp, nil
	}
	stamp.IssuedAt = time.Unix(*header.Issued, 0)
	stamp.Expires = stamp.IssuedAt.Add(o.config.Window)
	if off := o.now().Sub(stamp.IssuedAt); off > o.config.Window || off < -o.config.Window {
		return stamp, refuse(ReasonTime, "The time of the message is %s from ours; identity.envelope_window allows %s. Set the clock of the device, or have it send a counter (ctr).", off.Round(time.Second).Abs(), o.config.Window)
	}
	if stamp.ID = header.ID; stamp.ID == "" || len(stamp.ID) > maxID {
		return stamp, refuse(ReasonHeader, "The signed header needs an id (jti) of 1 to %d bytes.", maxID)
	}
	return stamp, nil
}

// admit refuses a replay, and returns what ends the processing.
func (o *Opener) admit(ctx context.Context, stamp edgelens.EnvelopeStamp) (done func(context.Context, bool) error, err error) {
	key := stampKey{stamp.KeyID, stamp.ID, stamp.Counter}
	o.mu.Lock()
	busy := o.open[key]
	o.open[key] = true
	o.mu.Unlock()
	if busy {
		return nil, refuse(ReasonReplay, "The envelope is there twice at the same time.")
	}
	release := func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.open, key)
	}
	if err := o.guard.CheckStamp(ctx, stamp); err != nil {
		release()
		if errors.Is(err, edgelens.ErrConflict) {
			return nil, refuse(ReasonReplay, "The envelope is a replay: it, or a later one, was accepted before.")
		}
		return nil, err
	}
	return func(ctx context.Context, processed bool) error {
		defer release()
		if !processed {
			return nil
		}
		return o.guard.NoteStamp(ctx, stamp)
	}, nil
}
