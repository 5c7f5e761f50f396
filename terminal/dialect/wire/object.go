package wire

import (
	"bytes"
	"unicode/utf8"
)

// Member is a name and its value in an object.
type Member struct {
	Name  string
	Value Value
	// quoted is the name as it was received.
	quoted Value
}

// name returns the quoted name to write. Names that differ only in invalid text (half a
// surrogate pair, bytes that are not UTF-8) are written by their decoded names, which are
// unique.
func (m Member) name() Value {
	if bytes.IndexByte(m.quoted, '\\') < 0 && utf8.Valid(m.quoted) {
		return m.quoted
	}
	return Value(Marshal(m.Name))
}

// Object is a JSON object: each name once, with its last value, in the order of the first
// appearance of the names.
type Object struct {
	Members []Member
	// Repeated are the members that a later member of the same name, with another value,
	// replaced.
	Repeated []Member
	raw      Value
	index    map[string]int
}

// Value returns the object as it was received.
func (o Object) Value() Value { return o.raw }

// Get returns the value of the first of the names that has one other than null; nil where
// none has.
func (o Object) Get(names ...string) Value {
	for _, name := range names {
		if i, ok := o.index[name]; ok && !o.Members[i].Value.IsNull() {
			return o.Members[i].Value
		}
	}
	return nil
}

// Object returns the value as an object; false for any other value.
func (v Value) Object() (Object, bool) {
	if len(v) == 0 || v[0] != '{' {
		return Object{}, false
	}
	object := Object{raw: v, index: make(map[string]int)}
	for i := skipSpace(v, 1); i < len(v) && v[i] == '"'; {
		end := endOfString(v, i)
		quoted := v[i:end]
		name := unquote(quoted)
		start := skipSpace(v, skipSpace(v, end)+1) // past the colon
		end = endOfValue(v, start)
		if at, ok := object.index[name]; ok {
			if !bytes.Equal(object.Members[at].Value, v[start:end]) {
				object.Repeated = append(object.Repeated, object.Members[at])
			}
			object.Members[at].Value = v[start:end]
		} else {
			object.index[name] = len(object.Members)
			object.Members = append(object.Members, Member{name, v[start:end], quoted})
		}
		i = skipSpace(v, skipSpace(v, end)+1) // past the comma or the end
	}
	return object, true
}

// Array returns the elements of an array; false for any other value.
func (v Value) Array() ([]Value, bool) {
	if len(v) == 0 || v[0] != '[' {
		return nil, false
	}
	var elements []Value
	for i := skipSpace(v, 1); i < len(v) && v[i] != ']'; {
		end := endOfValue(v, i)
		elements = append(elements, v[i:end])
		i = skipSpace(v, end)
		if i < len(v) && v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
	return elements, true
}

// The functions below navigate in valid JSON. In anything else they may return any index up
// to len(data), and no other.

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n') {
		i++
	}
	return min(i, len(data))
}

// endOfString returns the index after the string whose quote is at start.
func endOfString(data []byte, start int) int {
	for i := start + 1; i < len(data); {
		quote := bytes.IndexByte(data[i:], '"')
		if quote < 0 {
			break
		}
		quote += i
		backslashes := 0
		for quote-1-backslashes > start && data[quote-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return quote + 1
		}
		i = quote + 1
	}
	return len(data)
}

// endOfValue returns the index after the value that begins at start.
func endOfValue(data []byte, start int) int {
	depth := 0
	for i := start; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = endOfString(data, i) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // a number at the end of its container
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(data)
}
