package wire

import (
	"encoding/base64"
	"unicode/utf8"

	"edgelens/terminal/dialect/charset"
)

const (
	// undecoded is the member of a verdict with the bytes of texts of an unknown
	// character set, in base64, by the names of their members.
	undecoded = "undecoded"
	// maxUndecoded is the maximum number of bytes kept of each: fewer than look like an image.
	maxUndecoded = 180
)

// Decoded returns the object with all texts in UTF-8: others are decoded with the set or,
// where that is unknown, with the only set that can decode all of them. Where there is no
// such set, known is false: undecodable texts are left out, and their bytes are kept in
// base64 in a member "undecoded" of the enclosing object.
func (o Object) Decoded(set string) (decoded Object, known bool) {
	if utf8.Valid(o.raw) {
		return o, true
	}
	if set == "" {
		set = charset.Only(texts(nil, o.raw))
	}
	w := decodingWriter{set: set, known: true}
	w.object(o)
	decoded, _ = Value(w.out).Object()
	return decoded, w.known
}

// maxSampled is the number of bytes of text from which the character set is determined.
const maxSampled = 64 << 10

// texts appends the texts in a value that are not UTF-8, including names.
func texts(found [][]byte, v Value) [][]byte {
	size := 0
	for i := 0; i < len(v) && size < maxSampled; i++ {
		if v[i] != '"' {
			continue
		}
		end := endOfString(v, i)
		if text := v[i:end]; !utf8.Valid(text) && len(text) <= maxString {
			found = append(found, text.bytes())
			size += len(text)
		}
		i = end - 1
	}
	return found
}

// decodingWriter writes values with texts in UTF-8.
type decodingWriter struct {
	set   string
	out   []byte
	known bool
}

// value writes v; false, with nothing written, where it cannot be decoded.
func (w *decodingWriter) value(v Value) bool {
	switch {
	case utf8.Valid(v):
		w.out = append(w.out, v...)
	case v[0] == '{':
		object, _ := v.Object()
		w.object(object)
	case v[0] == '[':
		w.array(v)
	default:
		text, ok := charset.Decode(w.set, v.bytes())
		if !ok {
			w.known = false
			return false
		}
		w.out = append(w.out, Marshal(text)...)
	}
	return true
}

func (w *decodingWriter) object(o Object) {
	w.out = append(w.out, '{')
	first := len(w.out)
	kept := map[string]string{}
	for _, members := range [][]Member{o.Repeated, o.Members} { // the last member of a name wins
		for _, member := range members {
			if isImage(member.Name) && !utf8.Valid(member.Value) {
				continue // neither an image nor text
			}
			before := len(w.out)
			if before > first {
				w.out = append(w.out, ',')
			}
			name, _ := charset.Decode(w.set, member.quoted.bytes())
			if name == "" && member.Name != "" {
				name = member.Name // with U+FFFD
				w.known = false
			}
			w.out = append(append(w.out, Marshal(name)...), ':')
			if name == undecoded || !w.value(member.Value) {
				w.out = w.out[:before]
				bytes := member.Value.Text()
				if member.Value.isString() {
					bytes = string(member.Value.bytes())
				}
				kept[name] = base64.StdEncoding.EncodeToString([]byte(bytes[:min(len(bytes), maxUndecoded)]))
			}
		}
	}
	if len(kept) > 0 {
		if len(w.out) > first {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, `"`+undecoded+`":`...)
		w.out = append(w.out, Marshal(kept)...)
	}
	w.out = append(w.out, '}')
}

func (w *decodingWriter) array(v Value) {
	elements, _ := v.Array()
	w.out = append(w.out, '[')
	for i, element := range elements {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if !w.value(element) {
			w.out = append(w.out, "null"...)
		}
	}
	w.out = append(w.out, ']')
}
