package edgelens

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"time"
)

// The kinds of records.
const (
	// RecordVerified: the terminal compared a face with those it knows.
	RecordVerified = "verified"
	// RecordStranger: the terminal saw a face that it does not know.
	RecordStranger = "stranger"
	// RecordSnapshot: an image, and no verdict.
	RecordSnapshot = "snapshot"
)

// Freshness is whether a record describes something that happened just now.
type Freshness string

// A record is fresh only if that is proved.
const (
	// FreshnessFresh: it was captured just now.
	FreshnessFresh Freshness = "fresh"
	// FreshnessReplayed: it was captured or sent long before.
	FreshnessReplayed Freshness = "replayed"
	// FreshnessUnknown: its time is missing, unreadable, or proves nothing.
	FreshnessUnknown Freshness = "unknown"
)

// Record is what a terminal or camera reported once: its own verdict, if any,
// and perhaps an image, which is passed separately.
type Record struct {
	// ID is that of RecordID, the same however often the record arrives.
	ID string
	// Dialect is the protocol of the device, Device its serial number.
	Dialect, Device string
	// Kind is RecordVerified, RecordStranger or RecordSnapshot.
	Kind string
	// Key identifies the record among others of its kind, together with its image: the
	// device's number for it, its time, the person and the verdict, as far as present;
	// empty if the image alone identifies it.
	Key string
	// Passed reports that the terminal let the person in: all parts of its verdict
	// are understood and positive.
	Passed bool
	// Doubt is a sentence about the part of the terminal's verdict that is not
	// understood; empty if all are. Such a record has not passed.
	Doubt string
	// Person is the person that the terminal reported.
	Person Person
	// Verdict is the record as the terminal sent it, without the image: a
	// JSON object. Nil if there is nothing but an image.
	Verdict json.RawMessage
	// CapturedAt is the time that the device reported; zero if it reported none.
	CapturedAt time.Time
	// ReceivedAt is when it first arrived.
	ReceivedAt time.Time
	// Retained reports that the broker delivered it from its store: as a retained
	// message, or after our absence. It is a replay whatever its time is.
	Retained bool
	// Freshness is what its time proved on arrival, and FreshnessReason a sentence
	// on why it is not fresh. Both are empty for records stored by versions that did
	// not check it.
	Freshness       Freshness
	FreshnessReason string
	// ImageSHA256 is the hex digest of the image and ImageBytes its size;
	// empty and 0 for none.
	ImageSHA256 string
	ImageBytes  int64
	// Reason is a sentence on why there is no image to recognize, if one was
	// expected; empty otherwise.
	Reason string
	// Trace is the span of its reception; empty for none.
	Trace Trace
}

// Access reports whether the record is of an access, granted or denied. Such
// records are kept when space runs short.
func (r *Record) Access() bool { return r.Kind == RecordVerified }

// Person is the person that a terminal reported, as it sent them; empty fields
// were not sent.
type Person struct {
	// ID is the terminal's number for the person.
	ID string
	// Name is as the terminal has it.
	Name string
	// Type is the terminal's code for the kind of person.
	Type string
	// Code is the terminal's code for the outcome of the comparison.
	Code string
}

// Reception is a terminal's record on arrival, and how to process it.
type Reception struct {
	// Record is complete, with its ID; its image's digest and size are those of
	// Image.
	Record Record
	// Image is the encoded image; empty for none.
	Image []byte
	// Job describes how to recognize the image: Source, Model, TopK, MinScore,
	// View, NoCache and Deadline are used.
	Job JobSpec
	// Routes are the sinks to deliver to.
	Routes []Route
	// Held reports, when the record is written, whether delivery waits until the
	// device is released; nil if it does not. A check made earlier could miss the
	// release.
	Held func() bool
	// FormerID is the ID that earlier versions gave the record; empty for none. If
	// one of them stored a record of that ID that is not certainly this one, this one
	// is stored as replayed.
	FormerID string
	// RepeatsAfter is set for a record that only its image identifies: if the same
	// image arrives later than this after it was last stored, it is another record.
	// 0 is never.
	RepeatsAfter time.Duration
	// SentAgain reports that the broker redelivers the message: it is never another
	// record, however much later it arrives.
	SentAgain bool
	// MaxWaiting is how many images of the device may wait; further records are
	// stored without recognizing their image. Images beyond MaxInteractive wait in
	// the bulk queue.
	MaxWaiting, MaxInteractive int
}

// RecordID returns the deterministic id of a record: a UUID of version 8
// (RFC 9562) made of the SHA-256 of dialect, device, kind, key and the image's
// digest, each preceded by its length. A record that arrives again has the same
// id, on any node and after any crash.
func RecordID(dialect, device, kind, key, imageSHA256 string) string {
	return hashUUID(dialect, device, kind, key, imageSHA256)
}

// hashUUID returns a UUID of version 8 made of the SHA-256 of the parts, each preceded by
// its length.
func hashUUID(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	var id [16]byte
	copy(id[:], hash.Sum(nil))
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant
	return formatUUID(id)
}

func formatUUID(id [16]byte) string {
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 36)
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}
