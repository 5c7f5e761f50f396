package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"edgelens/terminal/clock"
)

const (
	maxKeyPart = 64
	digest     = "sha256:"
)

// Key joins parts to a key such that different parts make different keys. Parts of more
// than 64 bytes are replaced by their digest, which is longer, so that no part can equal
// one.
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

// Digest returns the SHA-256 of text in hex, with a prefix.
func Digest[T string | []byte](text T) string {
	sum := sha256.Sum256([]byte(text))
	return digest + hex.EncodeToString(sum[:])
}

// Identity returns the text that identifies a value in a Key: its text or, for a text that
// is not UTF-8, the digest of its bytes, whatever its character set. It is empty for null
// and for a missing value.
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

// Identities returns the Identity of the members with those names.
func (o Object) Identities(names ...string) []string {
	found := make([]string, len(names))
	for i, name := range names {
		found[i] = o.Find(name).Identity()
	}
	return found
}

// TimeIdentity returns the identity of the times in a record; empty for none.
func (f Found) TimeIdentity() string { return timeIdentity(f.all()) }

// TimeIdentity returns the identity of the times beside a record, on the nearest level that
// has any; empty for none.
func (s *Surroundings) TimeIdentity() string {
	if s == nil {
		return ""
	}
	if identity := timeIdentity(s.members); identity != "" {
		return identity
	}
	return s.outer.TimeIdentity()
}

func timeIdentity(members []placed) string {
	var found []string
	for _, member := range members {
		class := member.timeClass()
		if class == timeOfRecord || class == likeTime && (member.Value.Time().Kind > clock.Unreadable || dayNames[member.folded]) {
			if text := member.Value.Identity(); text != "" && !member.replaced {
				found = append(found, text)
			}
		}
	}
	slices.Sort(found)
	return joined(found)
}

// joined returns the Key of a list; empty for none.
func joined(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return Key(parts...)
}

// Particulars returns the identity of the person of a record, or of its number, besides the
// members with those names: numbers and names of cards, certificates, plates and the like,
// at any depth. Counters and names of messages are left out, since they differ when a record
// is resent. It is empty for none.
func (f Found) Particulars(besides ...string) string {
	var found []string
	for _, member := range f.all() {
		if member.replaced || member.Value.kind() == '{' || member.Value.kind() == '[' || isImage(member.Name) || !isParticular(member.folded) || member.timeClass() != noTime {
			continue
		}
		if member.depth == 0 && slices.ContainsFunc(besides, func(name string) bool { return fold(name) == member.folded }) {
			continue
		}
		if text := member.Value.Identity(); text != "" {
			found = append(found, Key(member.folded, text))
		}
	}
	slices.Sort(found)
	return joined(found)
}

func isParticular(folded string) bool {
	if containsAny(folded, "message", "msg", "seq", "send", "sent", "push", "retry", "packet", "request", "trace", "session", "task", "upload", "count", "batch", "page", "total") {
		return false
	}
	for _, end := range []string{"id", "no", "num", "number", "name", "code"} {
		if strings.HasSuffix(folded, end) {
			return true
		}
	}
	return containsAny(folded, "card", "cert", "passport", "phone", "mobile", "tel", "mail", "person", "employee", "staff", "uuid", "guid", "plate", "license", "cardnum", "idnum", "rfid")
}

// Unread returns the identity of an image that could not be read; empty for none.
func Unread(value Value, image []byte) string {
	if image != nil || value.IsNull() || value.isString() && value.Text() == "" {
		return ""
	}
	return Digest([]byte(value))
}
