package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxJSONDepth is the maximum nesting of objects and arrays.
	maxJSONDepth = 32
	// maxJSONMembers is the maximum number of members in the object of a request.
	maxJSONMembers = 100
	// maxJSONName is the maximum length of a member's name in bytes: what is done with a name takes several times its
	// memory.
	maxJSONName = 512
)

// member is one member of a JSON object; value is a part of the text.
type member struct {
	name  string
	value []byte
}

// isString reports whether the value is a string.
func (m member) isString() bool { return m.value[0] == '"' }

// jsonError is an error in a JSON text, and its byte offset.
type jsonError struct {
	what string
	at   int
}

// Error returns both.
func (e *jsonError) Error() string {
	return fmt.Sprintf("the body is not valid JSON (%s at byte %d)", e.what, e.at)
}

// jsonMembers returns the members of the one object (RFC 8259) that text
// consists of; only their names are copied. Beyond the RFC it accepts a byte
// order mark in front and, because shells put whole files of base64 between
// quotes, line breaks and tabs in strings. It is linear in the length of the
// text.
func jsonMembers(text []byte) ([]member, error) {
	r := jsonReader{text: text}
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		r.at = 3
	}
	r.space()
	if r.next() != '{' {
		return nil, r.fail(`there is no { where the object must begin`)
	}
	var members []member
	err := r.object(0, func(name string, value []byte) error {
		if len(members) == maxJSONMembers {
			return r.fail(fmt.Sprintf("there are more than %d members", maxJSONMembers))
		}
		members = append(members, member{name, value})
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.space()
	if r.at < len(text) {
		return nil, r.fail("something follows the object")
	}
	return members, nil
}

// repeatedName returns a name that an object within a valid JSON text has twice.
func repeatedName(text []byte) (name string, twice bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()           // none is too large
	var objects []map[string]bool // the names of each open object; nil for an array
	expectName := func() bool { return len(objects) > 0 && objects[len(objects)-1] != nil }
	isName := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", false
		}
		if delimiter, ok := token.(json.Delim); ok {
			switch delimiter {
			case '{':
				objects = append(objects, map[string]bool{})
			case '[':
				objects = append(objects, nil)
			default:
				objects = objects[:len(objects)-1]
			}
			isName = expectName()
			continue
		}
		if isName {
			names, name := objects[len(objects)-1], token.(string)
			if names[name] {
				return name, true
			}
			names[name] = true
			isName = false
			continue
		}
		isName = expectName()
	}
}

// jsonReader reads one text from its start to its end.
type jsonReader struct {
	text []byte
	at   int
}

func (r *jsonReader) fail(what string) error { return &jsonError{what, r.at} }

// next returns the next byte, 0 at the end.
func (r *jsonReader) next() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *jsonReader) space() {
	for r.at < len(r.text) && isJSONSpace(r.text[r.at]) {
		r.at++
	}
}

func isJSONSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// object reads an object and calls found for each of its members.
func (r *jsonReader) object(depth int, found func(name string, value []byte) error) error {
	return r.list('}', func() error {
		if r.next() != '"' {
			return r.fail(`a member's name in double quotes is missing`)
		}
		begin := r.at
		name, err := r.string()
		if err != nil {
			return err
		}
		if len(name) > maxJSONName {
			r.at = begin
			return r.fail(fmt.Sprintf("a member's name has more than %d bytes", maxJSONName))
		}
		r.space()
		if r.next() != ':' {
			return r.fail("a colon is missing")
		}
		r.at++
		r.space()
		start := r.at
		if err := r.value(depth + 1); err != nil {
			return err
		}
		return found(string(unescape(nil, name)), r.text[start:r.at])
	})
}

// list reads the content between the next bracket and its closing one.
func (r *jsonReader) list(closing byte, element func() error) error {
	r.at++
	r.space()
	if r.next() == closing {
		r.at++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		r.space()
		switch r.next() {
		case closing:
			r.at++
			return nil
		case ',':
			r.at++
			r.space()
		default:
			return r.fail(fmt.Sprintf("a comma or %c is missing", closing))
		}
	}
}

func (r *jsonReader) value(depth int) error {
	if depth > maxJSONDepth {
		return r.fail("objects and arrays are nested too deeply")
	}
	switch r.next() {
	case '{':
		return r.object(depth, func(string, []byte) error { return nil })
	case '[':
		return r.list(']', func() error { return r.value(depth + 1) })
	case '"':
		_, err := r.string()
		return err
	default:
		return r.scalar()
	}
}

// scalar reads a number, true, false or null.
func (r *jsonReader) scalar() error {
	end := r.at
	for end < len(r.text) && bytes.IndexByte([]byte("+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), r.text[end]) >= 0 {
		end++
	}
	if !json.Valid(r.text[r.at:end]) {
		return r.fail("a value is missing or not in quotes")
	}
	r.at = end
	return nil
}

// string reads a string and returns the text between its quotes.
func (r *jsonReader) string() ([]byte, error) {
	r.at++
	start, quote := r.at, -1
	for {
		if quote < r.at { // searched once, or many escapes would take quadratic time
			next := bytes.IndexByte(r.text[r.at:], '"')
			if next < 0 {
				r.at = len(r.text)
				return nil, r.fail("the closing quote of a string is missing")
			}
			quote = r.at + next
		}
		escape := bytes.IndexByte(r.text[r.at:quote], '\\')
		if escape < 0 {
			content := r.text[start:quote]
			for i, b := range content {
				if b < ' ' && b != '\n' && b != '\r' && b != '\t' {
					r.at = start + i
					return nil, r.fail("there is a control character in a string")
				}
			}
			r.at = quote + 1
			return content, nil
		}
		r.at += escape
		n := escapeLength(r.text[r.at:])
		if n == 0 {
			return nil, r.fail("a backslash with no such escape")
		}
		r.at += n
	}
}

// escapes maps the letters after a backslash to their characters.
const (
	escapes = `"\/bfnrt`
	escaped = "\"\\/\b\f\n\r\t"
)

// escapeLength is the length of the escape at the start of text, 0 for none.
func escapeLength(text []byte) int {
	switch {
	case len(text) < 2 || text[0] != '\\':
		return 0
	case bytes.IndexByte([]byte(escapes), text[1]) >= 0:
		return 2
	case text[1] == 'u' && len(text) >= 6 && hexDigits(text[2:6]) >= 0:
		return 6
	}
	return 0
}

// hexDigits returns the value of hexadecimal digits, or -1.
func hexDigits(digits []byte) rune {
	var value rune
	for _, d := range digits {
		switch {
		case '0' <= d && d <= '9':
			value = value<<4 | rune(d-'0')
		case 'a' <= d|0x20 && d|0x20 <= 'f':
			value = value<<4 | rune(d|0x20-'a'+10)
		default:
			return -1
		}
	}
	return value
}

// unescape appends the content of a string to dst, which may be content[:0]: no
// escape is shorter than its character.
func unescape(dst, content []byte) []byte {
	for {
		i := bytes.IndexByte(content, '\\')
		if i < 0 {
			return append(dst, content...)
		}
		dst = append(dst, content[:i]...)
		n := escapeLength(content[i:])
		if n == 2 {
			dst = append(dst, escaped[bytes.IndexByte([]byte(escapes), content[i+1])])
		} else {
			r := hexDigits(content[i+2 : i+6])
			if utf16.IsSurrogate(r) && escapeLength(content[i+6:]) == 6 {
				if pair := utf16.DecodeRune(r, hexDigits(content[i+8:i+12])); pair != utf8.RuneError {
					r, n = pair, 12
				}
			}
			dst = utf8.AppendRune(dst, r)
		}
		content = content[i+n:]
	}
}

// stringContent is a string value without its quotes and escapes. It overwrites
// the value.
func stringContent(value []byte) []byte {
	content := value[1 : len(value)-1]
	return unescape(content[:0], content)
}
