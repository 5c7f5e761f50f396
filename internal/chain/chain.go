// Package chain defines the hash-linked chain of a device's events: the digest of an event, the hash of a link, and the
// form in which a chain is exported. Its functions are safe for use by many goroutines.
//
//	hash   = SHA-256 of the canonical form of {"chain", "device", "digest", "prev", "seq"}
//	digest = SHA-256 of the canonical form of {"data", "id"} of the event, with the members of data that are the same in
//	         every delivery
//
// in hexadecimal, with the canonical form of RFC 8785.
package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"edgelens"
	"edgelens/internal/jcs"
)

// inDigest are the members of an event's data that its digest covers, as far as it has them: those that do not depend on
// when it is delivered and to whom. Once released, the list must not change: older digests would not match any more.
var inDigest = []string{
	"accelerator", "cached", "captured_at", "device", "dialect", "kind", "model", "outcome", "passed", "predictions", "quality", "reason", "received_at",
	"record", "view", "warnings",
}

// imageInDigest are the members of data.image that the digest covers.
var imageInDigest = []string{"bytes", "damaged", "format", "height", "sha256", "width"}

// Digest returns the digest of an event by its id and its data, a JSON object. A record without a canonical form counts
// as null. The error wraps ErrInvalid.
func Digest(id string, data []byte) (string, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return "", fmt.Errorf("the event's data is no JSON object: %w: %w", edgelens.ErrInvalid, err)
	}
	covered := only(all, inDigest)
	if record, there := covered["record"]; there {
		if _, err := jcs.Canonicalize(record); err != nil {
			covered["record"] = json.RawMessage("null")
		}
	}
	var image map[string]json.RawMessage
	if json.Unmarshal(all["image"], &image) == nil && image != nil {
		text, err := json.Marshal(only(image, imageInDigest))
		if err != nil {
			return "", err
		}
		covered["image"] = text
	}
	return sum(map[string]any{"id": id, "data": covered})
}

func only(all map[string]json.RawMessage, names []string) map[string]json.RawMessage {
	some := map[string]json.RawMessage{}
	for _, name := range names {
		if value, there := all[name]; there {
			some[name] = value
		}
	}
	return some
}

// Hash returns the hash of a link: of an event of that digest in the place after the one with the hash prev, which is
// empty for the first.
func Hash(chain, device string, seq int64, prev, digest string) (string, error) {
	return sum(map[string]any{"chain": chain, "device": device, "seq": seq, "prev": prev, "digest": digest})
}

func sum(value any) (string, error) {
	text, err := jcs.Marshal(value)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:]), nil
}

// The kinds of lines of an export.
const (
	KindCheckpoint = "checkpoint"
	KindEvent      = "event"
	KindTombstone  = "tombstone"
	KindHead       = "head"
)

// Line is a line of an export, a JSON object: first a checkpoint, where links were removed; then an event or a tombstone
// for each link, in order; and at last the head. All but events have a signature, over the canonical form of the line
// without it; that of the head covers what is before.
type Line struct {
	Kind   string `json:"kind"`
	Chain  string `json:"chain"`
	Device string `json:"device"`
	Seq    int64  `json:"seq"`
	// Prev and Digest are of events and tombstones.
	Prev   *string `json:"prev,omitempty"`
	Digest string  `json:"digest,omitempty"`
	Hash   string  `json:"hash"`
	// State is that of a tombstone.
	State edgelens.ChainState `json:"state,omitempty"`
	// Erased and Expired are those of a checkpoint.
	Erased  *int64 `json:"erased,omitempty"`
	Expired *int64 `json:"expired,omitempty"`
	// At is when the line was made; absent for an event.
	At *time.Time `json:"at,omitempty"`
	// Event is the event; it has no signature of its own here.
	Event     json.RawMessage `json:"event,omitempty"`
	Signature string          `json:"signature,omitempty"`
}

// Checkpoint returns the line of a chain's checkpoint.
func Checkpoint(c edgelens.Chain) Line {
	at := c.Checkpoint.At.UTC()
	return Line{
		Kind: KindCheckpoint, Chain: c.Chain, Device: c.Device, Seq: c.Checkpoint.Seq, Hash: c.Checkpoint.Hash, At: &at,
		Erased: &c.Checkpoint.Erased, Expired: &c.Checkpoint.Expired, Signature: c.Checkpoint.Signature,
	}
}

// Entry returns the line of an entry: a tombstone, or an event, which the caller completes.
func Entry(device string, e edgelens.ChainEntry) Line {
	line := Line{Kind: KindEvent, Chain: e.Chain, Device: device, Seq: e.Seq, Prev: &e.Prev, Digest: e.Digest, Hash: e.Hash}
	if e.State != edgelens.ChainKept {
		at := e.EndedAt.UTC()
		line.Kind, line.State, line.At, line.Signature = KindTombstone, e.State, &at, e.Signature
	}
	return line
}

// Head returns the line of a chain's newest link, made at a moment, without its signature.
func Head(c edgelens.Chain, at time.Time) Line {
	at = at.UTC()
	return Line{Kind: KindHead, Chain: c.Chain, Device: c.Device, Seq: c.Seq, Hash: c.Hash, At: &at}
}

// Signer makes detached signatures.
type Signer interface {
	// Sign signs a text in canonical form.
	Sign(canonical []byte) (signature string, err error)
}

// Sign returns the signature of a line.
func Sign(line Line, signer Signer) (string, error) {
	line.Signature = ""
	text, err := jcs.Marshal(line)
	if err != nil {
		return "", err
	}
	return signer.Sign(text)
}
