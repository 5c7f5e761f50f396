package hostile

import (
	"bytes"
	"encoding/binary"
)

// Salted returns the parts of a copy of an encoded image that differs from all others with another number, and that is as
// hostile: no cache and no list of known images has it. data itself is shared, not copied.
func Salted(data []byte, number uint64) [][]byte {
	digits := binary.BigEndian.AppendUint64(nil, number)
	at, salt := len(data), digits // behind the end, where decoders do not look
	switch {
	case bytes.HasPrefix(data, startOfImage):
		at, salt = 2, segment(com, digits...)
	case bytes.HasPrefix(data, []byte(pngSignature)) && len(data) >= len(pngSignature)+25:
		at, salt = len(pngSignature)+25, chunk("tEXt", append([]byte("n\x00"), digits...)...) // behind IHDR
	}
	return [][]byte{data[:at], salt, data[at:]}
}
