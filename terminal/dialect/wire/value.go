// Package wire decodes the messages of terminals: JSON (RFC 8259) as firmware writes it,
// images in base64 (RFC 4648) with or without a data URI (RFC 2397), local times without a
// zone. It accepts any bytes; its results are bounded by the size of its input. It keeps no
// state and is safe for use by many goroutines.
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
	// maxDepth is the maximum nesting of arrays and objects. Terminals use four levels;
	// encoding/json alone would accept ten thousand.
	maxDepth = 32
	// maxValues is the maximum number of members and elements of a message, to bound the
	// data kept about them.
	maxValues = 100_000
)

// Value is one JSON value, in the bytes of its message: nothing is copied before it is
// needed. Nil is a missing value.
type Value []byte

// Parse returns the JSON object that a message consists of. White space around it, a byte
// order mark before it and zero bytes after it (strings of C) are accepted. Errors:
// dialect.ErrMalformed, and dialect.ErrNotJSON among them.
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

// scanThreshold is the length from which on a string is checked separately.
const scanThreshold = 256

// valid is json.Valid, ten times as fast where an image in base64 is most of the text: for
// a string without backslashes it is enough that it has no control characters (RFC 8259,
// 7), so json.Valid gets the text with such strings left empty.
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

// isPlain reports whether nothing in a string is escaped, or must be.
func isPlain(inside []byte) bool {
	for _, c := range inside {
		if c < ' ' || c == '\\' {
			return false
		}
	}
	return true
}

// checkSize bounds depth and number of values before anything is allocated for them.
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

// IsNull reports whether the value is null or missing.
func (v Value) IsNull() bool { return len(v) == 0 || v[0] == 'n' }

func (v Value) isString() bool { return len(v) > 0 && v[0] == '"' }

func (v Value) isNumber() bool { return len(v) > 0 && (v[0] == '-' || v[0] >= '0' && v[0] <= '9') }

// Text returns a string without white space around it, or a number as it was received, since
// firmware mixes them up; "" for everything else. Bytes that are not UTF-8 become U+FFFD.
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

// Is reports whether the value is the whole number n, or a string of it; a sign is accepted
// only below zero.
func (v Value) Is(n int) bool {
	text := v.Text()
	if whole, zeros, ok := strings.Cut(text, "."); ok && zeros != "" && strings.Trim(zeros, "0") == "" {
		text = whole
	}
	got, err := strconv.Atoi(text)
	return err == nil && got == n && (got < 0) == (text[0] == '-') && text[0] != '+'
}
