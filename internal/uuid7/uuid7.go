// Package uuid7 mints ids that sort by the time at which they were minted.
package uuid7

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// Tag is the end of the ids that one node mints for others to find it by.
type Tag [4]byte

// TagOf returns the tag of the node with that permanent name. Two of a thousand nodes have the same one with a
// probability of 1 in 8,600.
func TagOf(node string) (tag Tag) {
	sum := sha256.Sum256([]byte(node))
	copy(tag[:], sum[:])
	return tag
}

// String returns the tag as it stands in an id.
func (t Tag) String() string { return hex.EncodeToString(t[:]) }

// TagIn returns the end of an id; false where that is not hexadecimal.
func TagIn(id string) (tag Tag, ok bool) {
	if len(id) < hex.EncodedLen(len(tag)) {
		return Tag{}, false
	}
	_, err := hex.Decode(tag[:], []byte(id[len(id)-hex.EncodedLen(len(tag)):]))
	return tag, err == nil
}

// New returns a UUIDv7 (https://www.rfc-editor.org/rfc/rfc9562#section-5.7): 48 bits of Unix time in milliseconds, the
// rest random. Those of one millisecond are unique, but in no order. It is safe for use by many goroutines.
func New(at time.Time) string {
	var random [4]byte
	rand.Read(random[:]) // never fails; see crypto/rand
	return NewTagged(at, random)
}

// NewTagged is New with a tag at the end, which leaves 42 random bits.
func NewTagged(at time.Time, tag Tag) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16)
	rand.Read(id[6:12]) // never fails; see crypto/rand
	copy(id[12:], tag[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	text := make([]byte, 0, 36)
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}

// Time returns when a UUIDv7 in its usual form was minted, to the millisecond, in UTC; false for any other text.
func Time(id string) (at time.Time, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' || id[18] != '-' || id[23] != '-' || !strings.ContainsRune("89ab", rune(id[19])) {
		return time.Time{}, false
	}
	var raw [16]byte
	digits := id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:]
	if _, err := hex.Decode(raw[:], []byte(digits)); err != nil || strings.ToLower(id) != id {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(raw[:8]) >> 16)).UTC(), true
}
