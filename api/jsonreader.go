package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// maxJSONDepth is the maximum nesting of objects and arrays.
	maxJSONDepth = 32
	// maxJSONMembers is the maximum number of members in the object of a request.
	maxJSONMembers = 100
	// maxJSONName is the maximum length of a member's name in bytes: what is done with a name takes several times its
	// memory.
	maxJSONName = 512
	// maxJSONKept is how much of a value is kept, which is more than an option may have.
	maxJSONKept = max(headBytes, maxJSONName) + len(`""`)
)

// jsonError is an error in a JSON text, and its byte offset.
type jsonError struct {
	what string
	at   int64
}

// Error returns both.
func (e *jsonError) Error() string {
	return fmt.Sprintf("the body is not valid JSON (%s at byte %d)", e.what, e.at)
}

// jsonReader reads the one object (RFC 8259) that a text consists of, as it arrives, in memory
// that does not depend on the text. Beyond the RFC it accepts a byte order mark in front and,
// because shells put whole files of base64 between quotes, line breaks and tabs in strings. It
// is linear in the length of the text.
type jsonReader struct {
	in *bufio.Reader
	// at is the offset of the next byte.
	at    int64
	ended bool
	// broken is the error of reading, which is not one of JSON.
	broken error
	// kept gets what is read of the member's name or value, if it is not nil.
	kept *kept
	// piece is a part of a string without its escapes.
	piece []byte
}

// newJSONReader returns a reader with a buffer of that size.
func newJSONReader(in io.Reader, size int) *jsonReader {
	return &jsonReader{in: bufio.NewReaderSize(in, size)}
}

// kept is the begin of a text.
type kept struct {
	text []byte
	// inner is the begin without brackets and white space in front of it.
	inner []byte
}

func (k *kept) add(text []byte) {
	k.text = appendUpTo(k.text, text)
	if len(k.inner) == 0 {
		text = bytes.TrimLeft(text, "[ \t\r\n")
	}
	k.inner = appendUpTo(k.inner, text)
}

func appendUpTo(dst, text []byte) []byte {
	return append(dst, text[:min(len(text), maxJSONKept-len(dst))]...)
}

func (r *jsonReader) fail(what string) error { return &jsonError{what, r.at} }

// window returns what has arrived, at least n bytes unless the text ends before.
func (r *jsonReader) window(n int) []byte {
	if r.in.Buffered() < n && !r.ended {
		if _, err := r.in.Peek(n); err != nil {
			r.ended = true
			if !errors.Is(err, io.EOF) {
				r.broken = err
			}
		}
	}
	text, _ := r.in.Peek(r.in.Buffered())
	return text
}

// skip passes n bytes of the window.
func (r *jsonReader) skip(n int) {
	if r.kept != nil && len(r.kept.inner) < maxJSONKept {
		text, _ := r.in.Peek(n)
		r.kept.add(text)
	}
	_, _ = r.in.Discard(n)
	r.at += int64(n)
}

// next returns the next byte, 0 at the end.
func (r *jsonReader) next() byte {
	if text := r.window(1); len(text) > 0 {
		return text[0]
	}
	return 0
}

// atEnd reports whether nothing follows.
func (r *jsonReader) atEnd() bool { return len(r.window(1)) == 0 }

func (r *jsonReader) space() {
	for {
		text := r.window(1)
		n := len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
		if n == 0 {
			return
		}
		r.skip(n)
	}
}

// start passes what may be in front of the object.
func (r *jsonReader) start() {
	if bytes.HasPrefix(r.window(len(byteOrderMark)), []byte(byteOrderMark)) {
		r.skip(len(byteOrderMark))
	}
	r.space()
}

const byteOrderMark = "\xef\xbb\xbf"

// finish passes the rest, whose errors are not looked for, and returns the error of reading it.
func (r *jsonReader) finish() error {
	for !r.atEnd() {
		r.skip(r.in.Buffered())
	}
	return r.broken
}

// members reads the object and calls found for each of its members. begin, which may be nil,
// is called with its name before its value is read, and returns what gets the content of a
// string, in pieces that are valid until it returns; nil if nothing does.
func (r *jsonReader) members(begin func(name string) func(piece []byte), found func(m member)) error {
	if r.next() != '{' {
		return r.fail(`there is no { where the object must begin`)
	}
	count := 0
	err := r.list('}', func() error {
		name, err := r.topName()
		if err != nil {
			return err
		}
		var content func(piece []byte)
		if begin != nil {
			content = begin(name)
		}
		r.kept = &kept{}
		err = r.value(1, content)
		value := r.kept
		if r.kept = nil; err != nil {
			return err
		}
		if count++; count > maxJSONMembers {
			return r.fail(fmt.Sprintf("there are more than %d members", maxJSONMembers))
		}
		found(member{name, value.text, value.inner})
		return nil
	})
	if err != nil {
		return err
	}
	if r.space(); !r.atEnd() {
		return r.fail("something follows the object")
	}
	return nil
}

// topName reads the name of a member of the outermost object, and its colon.
func (r *jsonReader) topName() (string, error) {
	r.kept = &kept{}
	err := r.name()
	quoted := r.kept.text
	r.kept = nil
	if err != nil {
		return "", err
	}
	return string(unescape(nil, quoted[1:len(quoted)-1])), r.colon()
}

func (r *jsonReader) name() error {
	if r.next() != '"' {
		return r.fail(`a member's name in double quotes is missing`)
	}
	begin := r.at
	if err := r.string(nil); err != nil {
		return err
	}
	if r.at-begin > maxJSONName+int64(len(`""`)) {
		return &jsonError{fmt.Sprintf("a member's name has more than %d bytes", maxJSONName), begin}
	}
	return nil
}

func (r *jsonReader) colon() error {
	r.space()
	if r.next() != ':' {
		return r.fail("a colon is missing")
	}
	r.skip(1)
	r.space()
	return nil
}

// list reads the content between the next bracket and its closing one.
func (r *jsonReader) list(closing byte, element func() error) error {
	r.skip(1)
	r.space()
	if r.next() == closing {
		r.skip(1)
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		r.space()
		switch r.next() {
		case closing:
			r.skip(1)
			return nil
		case ',':
			r.skip(1)
			r.space()
		default:
			return r.fail(fmt.Sprintf("a comma or %c is missing", closing))
		}
	}
}

// value reads a value; content gets that of a string, if it is not nil.
func (r *jsonReader) value(depth int, content func(piece []byte)) error {
	if depth > maxJSONDepth {
		return r.fail("objects and arrays are nested too deeply")
	}
	switch r.next() {
	case '{':
		return r.list('}', func() error {
			if err := r.name(); err != nil {
				return err
			}
			if err := r.colon(); err != nil {
				return err
			}
			return r.value(depth+1, nil)
		})
	case '[':
		return r.list(']', func() error { return r.value(depth+1, nil) })
	case '"':
		return r.string(content)
	default:
		return r.scalar()
	}
}

// scalar reads a number, true, false or null.
func (r *jsonReader) scalar() error {
	const enough = 32
	begin := r.at
	var buffer [enough]byte
	short := buffer[:0] // without the digits behind the first two of each run, on which it does not depend whether a number is one
	for more := true; more; {
		text := r.window(1)
		n := 0
		for n < len(text) && inScalar(text[n]) {
			if end := len(short); end < enough && (end < 2 || !isDigit(text[n]) || !isDigit(short[end-1]) || !isDigit(short[end-2])) {
				short = append(short, text[n])
			}
			n++
		}
		more = n > 0 && n == len(text)
		r.skip(n)
	}
	if !json.Valid(short) {
		return &jsonError{"a value is missing or not in quotes", begin}
	}
	return nil
}

func inScalar(b byte) bool {
	return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'z' || b == '+' || b == '-' || b == '.'
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }
