package ledger

import (
	"crypto/sha256"
	"encoding/hex"
)

// compactIDBytes is the size of an id as it is stored.
const compactIDBytes = 16

// compactID returns the id of a record as it is stored: the 16 bytes of a UUID, as edgelens.RecordID makes them, so that no two
// of these become one; of any other text, the first 16 bytes of its SHA-256.
func compactID(id string) []byte {
	if raw, ok := uuidBytes(id); ok {
		return raw
	}
	hash := sha256.Sum256([]byte(id))
	return hash[:compactIDBytes]
}

// uuidBytes returns the bytes of a UUID in its canonical form: lower case, with hyphens.
func uuidBytes(id string) ([]byte, bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return nil, false
	}
	digits := id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:]
	raw, err := hex.DecodeString(digits)
	return raw, err == nil && hex.EncodeToString(raw) == digits
}
