// Package uuid7 mints ids that sort by the time at which they were minted.
package uuid7

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// New returns a UUIDv7 (https://www.rfc-editor.org/rfc/rfc9562#section-5.7): 48 bits of Unix time in milliseconds, the
// rest random. Those of one millisecond are unique, but in no order. It is safe for use by many goroutines.
func New(at time.Time) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16)
	rand.Read(id[6:]) // never fails; see crypto/rand
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
