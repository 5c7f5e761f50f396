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

// Freshness says whether a record is news.
type Freshness string

// What is known of a record's age. Only what is proved to be fresh is.
const (
	// FreshnessFresh: it was captured just now.
	FreshnessFresh Freshness = "fresh"
	// FreshnessReplayed: it was captured or sent long before.
	FreshnessReplayed Freshness = "replayed"
	// FreshnessUnknown: its time is missing, cannot be read, or proves nothing.
	FreshnessUnknown Freshness = "unknown"
)

// Record is what a terminal or camera reported once: its own verdict, if any,
// and perhaps an image, which travels beside it.
type Record struct {
	// ID is RecordID's, the same however often the record comes.
	ID string
	// Dialect is what the device speaks, Device its serial number.
	Dialect, Device string
	// Kind is RecordVerified, RecordStranger or RecordSnapshot.
	Kind string
	// Key tells the record from others of its kind, together with its image: the
	// device's number for it, its time, the person and the verdict, as far as it has
	// them; empty where the image alone does.
	Key string
	// Passed reports that the terminal let the person in: that all parts of its
	// verdict are understood and good.
	Passed bool
	// Doubt says in a sentence which part of the terminal's verdict is not
	// understood; empty where all are. Such a record has not passed.
	Doubt string
	// Person is whom the terminal says it saw.
	Person Person
	// Verdict is the record as the terminal wrote it, without the image: a
	// JSON object. Nil where there is nothing but an image.
	Verdict json.RawMessage
	// CapturedAt is when the device says it was; zero where it does not say.
	CapturedAt time.Time
	// ReceivedAt is when it first came to us.
	ReceivedAt time.Time
	// Retained says that it came out of the broker's store: kept for whoever
	// comes, or for us while we were away. It is a replay whatever its time says.
	Retained bool
	// Freshness is what its time proved on arrival, and FreshnessReason a sentence
	// that says why it is not fresh. Both are empty for records of before these
	// were judged.
	Freshness       Freshness
	FreshnessReason string
	// ImageSHA256 is the hex digest of the image and ImageBytes its size;
	// empty and 0 for none.
	ImageSHA256 string
	ImageBytes  int64
	// Reason says in a sentence why there is no image to look at, where one
	// was due; empty otherwise.
	Reason string
}

// Access reports whether the record says that somebody went through a door, or
// was refused: what must not be shed when space runs short.
func (r *Record) Access() bool { return r.Kind == RecordVerified }

// Person is whom a terminal says it saw, in its own words; empty fields are
// those that it did not send.
type Person struct {
	// ID is the terminal's number for the person.
	ID string
	// Name is as the terminal has it.
	Name string
	// Type is the terminal's code for the kind of person.
	Type string
	// Code is the terminal's code for how the comparison ended.
	Code string
}

// Reception is a terminal's record as it comes in, and what is to be done with
// it.
type Reception struct {
	// Record is filled in wholly, its ID included; its image's digest and
	// size are those of Image.
	Record Record
	// Image is the encoded image; empty for none.
	Image []byte
	// Job says how the image is to be looked at: Face, Model, TopK, MinScore,
	// NoCache and Deadline count.
	Job JobSpec
	// Routes are the sinks that are to be told.
	Routes []Route
	// Held reports, at the moment when the record is written, whether they are
	// not to be told until the device is released; nil where they are. What is
	// asked earlier may miss the release.
	Held func() bool
	// FormerID is the ID that earlier versions gave the record; empty for none. Where
	// one of them had a record of that ID that is not surely this one, this one is kept,
	// and replayed.
	FormerID string
	// RepeatsAfter is set for a record that has nothing but its image to be told from
	// others by: where the same comes again later than this after it was last kept, it
	// is another record. 0 is never.
	RepeatsAfter time.Duration
	// SentAgain says that the broker sends the message again: it is never another
	// record, however much later it comes.
	SentAgain bool
	// MaxWaiting is how many images of the device may wait; what comes then
	// is kept without its image being looked at. Those beyond MaxInteractive
	// wait in the bulk queue.
	MaxWaiting, MaxInteractive int
}

// RecordID returns the deterministic id of a record: a UUID of version 8
// (RFC 9562) made of the SHA-256 of dialect, device, kind, key and the image's
// digest, each with its length in front. A record that comes again has the same
// id, on whatever node and after whatever crash.
func RecordID(dialect, device, kind, key, imageSHA256 string) string {
	hash := sha256.New()
	for _, part := range []string{dialect, device, kind, key, imageSHA256} {
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
