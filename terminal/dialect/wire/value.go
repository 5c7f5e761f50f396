// Package wire reads what terminals write: JSON (RFC 8259) as firmware makes
// it, images in base64 (RFC 4648) with or without a data URI (RFC 2397) around
// them, local times without a zone. It takes any bytes; what it gives back is
// bounded by what it was given. Nothing in it keeps state: all of it may be used
// by many goroutines.
package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"edgelens/terminal/dialect"
)

const (
	// maxDepth is how deep arrays and objects may lie in one another. Terminals
	// use four levels; encoding/json alone would take ten thousand.
	maxDepth = 32
	// maxValues is how many members and elements a message may have, so that
	// what is kept about each of them is bounded.
	maxValues = 100_000
)

// Value is one JSON value, in the bytes of the message that it came in: nothing
// is copied until it is asked for. Nil is a value that is not there.
type Value []byte

// Parse returns the JSON object that a message consists of. Around it white
// space, a byte order mark in front and zero bytes behind (strings of C) are
// taken. Errors: dialect.ErrMalformed, and dialect.ErrNotJSON among them.
func Parse(payload []byte) (Object, error) {
	text := bytes.TrimPrefix(payload, []byte("\xef\xbb\xbf"))
	text = bytes.Trim(bytes.TrimRight(text, "\x00"), " \t\r\n")
	if err := checkSize(text); err != nil {
		return Object{}, err
	}
	if !valid(text) {
		return Object{}, dialect.ErrNotJSON
	}
	object, ok := Value(text).Object()
	if !ok {
		return Object{}, fmt.Errorf("%w: it is not a JSON object", dialect.ErrNotJSON)
	}
	return object, nil
}

// scanThreshold is the length from which on a string is worth a look of its own.
const scanThreshold = 256

// valid is json.Valid, ten times as fast where an image in base64 is most of the
// text: of a string without backslashes it is enough to know that it has no
// control characters (RFC 8259, 7), so json.Valid reads the text with such strings
// left empty.
func valid(text []byte) bool {
	var rest []byte
	from := 0
	for i := 0; ; {
		quote := bytes.IndexByte(text[i:], '"')
		if quote < 0 {
			break
		}
		start := i + quote
		i = endOfString(text, start)
		if i-start > scanThreshold && isPlain(text[start+1:i-1]) && text[i-1] == '"' {
			rest = append(rest, text[from:start+1]...)
			from = i - 1
		}
	}
	if from == 0 {
		return json.Valid(text)
	}
	return json.Valid(append(rest, text[from:]...))
}

// isPlain reports whether nothing in a string is escaped, or ought to be.
func isPlain(inside []byte) bool {
	for _, c := range inside {
		if c < ' ' || c == '\\' {
			return false
		}
	}
	return true
}

// checkSize bounds depth and number of values before anything is made of them.
func checkSize(text []byte) error {
	depth, values := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i) - 1
		case '{', '[':
			depth++
			values++
		case '}', ']':
			depth--
		case ',':
			values++
		}
		if depth > maxDepth {
			return fmt.Errorf("%w: it is nested more than %d deep", dialect.ErrMalformed, maxDepth)
		}
		if values > maxValues {
			return fmt.Errorf("%w: it has more than %d values", dialect.ErrMalformed, maxValues)
		}
	}
	return nil
}

// IsNull reports whether the value is null or not there.
func (v Value) IsNull() bool { return len(v) == 0 || v[0] == 'n' }

func (v Value) isString() bool { return len(v) > 0 && v[0] == '"' }

func (v Value) isNumber() bool { return len(v) > 0 && (v[0] == '-' || v[0] >= '0' && v[0] <= '9') }

// Text returns a string without white space around it, or a number as it is
// written, since firmware mixes them up; "" for everything else. Bytes that are
// not UTF-8 become U+FFFD.
func (v Value) Text() string {
	switch {
	case v.isString():
		return strings.TrimSpace(unquote(v))
	case v.isNumber():
		return string(v)
	default:
		return ""
	}
}

// Is reports whether the value is the whole number n, or a string of it; with a sign
// only below zero.
func (v Value) Is(n int) bool {
	text := v.Text()
	if whole, zeros, ok := strings.Cut(text, "."); ok && zeros != "" && strings.Trim(zeros, "0") == "" {
		text = whole
	}
	got, err := strconv.Atoi(text)
	return err == nil && got == n && (got < 0) == (text[0] == '-') && text[0] != '+'
}
