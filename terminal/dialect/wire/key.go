package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

const (
	maxKeyPart = 64
	digest     = "sha256:"
)

// Key joins parts to a key such that different parts make different keys.
// Parts of more than 64 bytes go in as their digest, which is longer, so that
// no part can pretend to be one.
func Key(parts ...string) string {
	for i, part := range parts {
		if len(part) > maxKeyPart {
			part = Digest(part)
		}
		parts[i] = escape.Replace(part)
	}
	return strings.Join(parts, "|")
}

var escape = strings.NewReplacer("%", "%25", "|", "%7C")

// Digest returns the SHA-256 of text in hex, and says so.
func Digest[T string | []byte](text T) string {
	sum := sha256.Sum256([]byte(text))
	return digest + hex.EncodeToString(sum[:])
}

// Identity returns what tells a value from others in a Key: its text or, of a text that
// is not UTF-8, the digest of its bytes, whatever its character set is. It is empty for
// null and for what is not there.
func (v Value) Identity() string {
	switch {
	case v.IsNull():
		return ""
	case v.isString():
		text := v.bytes()
		if !utf8.Valid(text) {
			return Digest(text)
		}
		return strings.TrimSpace(string(text))
	case v[0] == '{', v[0] == '[':
		return Digest([]byte(v))
	default:
		return string(v)
	}
}

// Identities returns the Identity of the members of those names.
func (o Object) Identities(names ...string) []string {
	found := make([]string, len(names))
	for i, name := range names {
		found[i] = o.Find(name).Identity()
	}
	return found
}

// TimeIdentity returns what tells the times of a record from others: those in the first
// of the objects that has any, since what stands beside a record may be the time of
// sending.
func TimeIdentity(objects ...Object) string {
	for _, object := range objects {
		var times []string
		for _, member := range object.Members {
			if text := member.Value.Identity(); text != "" && timeNames[fold(member.Name)] {
				times = append(times, text)
			}
		}
		if times != nil {
			return Key(times...)
		}
	}
	return ""
}

// Unread returns what tells an image that could not be read from others; empty for none.
func Unread(value Value, image []byte) string {
	if image != nil || value.IsNull() || value.isString() && value.Text() == "" {
		return ""
	}
	return Digest([]byte(value))
}
