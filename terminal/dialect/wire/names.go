package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold returns a name in lower-case letters and digits alone: "PersonType", "person_type",
// "PERSON-TYPE" and full-width letters fold to the same. Letters outside ASCII, even without
// their accents, are left out.
func fold(name string) string {
	if !isASCII(name) {
		name = norm.NFKD.String(name)
	}
	folded := make([]byte, 0, len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			folded = append(folded, c|0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			folded = append(folded, c)
		}
	}
	return string(folded)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// words returns the words of a name, in lower case: of "capturedAt",
// "captured_at" and "CAPTURED-AT" they are "captured" and "at".
func words(name string) []string {
	name = norm.NFKD.String(name)
	var parted strings.Builder
	before := ' '
	for _, r := range name {
		if unicode.IsUpper(r) && !unicode.IsUpper(before) {
			parted.WriteByte(' ')
		}
		if before = r; !unicode.IsLetter(r) {
			r = ' '
		}
		parted.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(parted.String())
}

// Spelled returns the members whose name folds to the same, including those that a later one
// replaced.
func (o Object) Spelled(name string) []Member {
	var found []Member
	for _, members := range [][]Member{o.Members, o.Repeated} {
		for _, member := range members {
			if fold(member.Name) == fold(name) {
				found = append(found, member)
			}
		}
	}
	return found
}
