// Package lenient reads almost valid JSON (RFC 8259), as firmware writes it: with control
// characters in strings, extra commas, several messages in one, NaN, single quotes, comments,
// names without quotes, UTF-16, JSON in a string. It returns valid JSON. It is for payloads
// that cannot be read strictly; it is linear in the length of the payload, takes at most a
// few times its memory, keeps no state and is safe for use by many goroutines.
//
// It accepts a text only where it has exactly one meaning: where a string ends in the
// middle, or a comma is missing, it returns an error.
package lenient

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

const (
	// MaxDepth is the maximum nesting of arrays and objects.
	MaxDepth = 32
	// maxValues is the maximum total number of members and elements.
	maxValues = 100_000
	// MaxMessages is the maximum number of returned objects.
	MaxMessages = 100
	// maxInFront is the maximum length of text before the first object.
	maxInFront = 64
	// maxStrings is the maximum nesting of JSON in strings.
	maxStrings = 2
)

// The reasons why a payload cannot be read. They do not quote it.
var (
	errNoObject   = errors.New("there is no object in it")
	errCutOff     = errors.New("it is cut off")
	errSyntax     = errors.New("a comma, a colon or a quote is missing")
	errDeep       = errors.New("it is nested more than 32 deep")
	errManyValues = errors.New("it has more than 100000 values")
)

// Result is the content of a payload.
type Result struct {
	// Objects are the objects in it, at most MaxMessages, each in JSON with the original
	// bytes of its strings: they need not be UTF-8.
	Objects [][]byte
	// LeftOut is the number of objects beyond that.
	LeftOut int
	// Repaired lists the deviations from JSON, for a log: "a comma too many, single quotes".
	Repaired string
}

// Read returns the objects in a payload, one after the other or in arrays. The error has
// the reason, and quotes nothing.
func Read(payload []byte) (Result, error) {
	var repairs repairs
	if text := fromUTF16(payload); text != nil {
		payload = text
		repairs.add(utf16Text)
	}
	var result Result
	if err := read(payload, maxStrings, &result, &repairs); err != nil {
		return Result{}, err
	}
	result.Repaired = repairs.String()
	return result, nil
}

// read appends the objects of a text to the result; nested is the remaining nesting of JSON
// in strings. A text that is not UTF-8 may have characters of two bytes of which the
// second is a backslash.
func read(text []byte, nested int, result *Result, repairs *repairs) error {
	before, noted := *result, *repairs
	room := len(text) + len(text)/8
	r := reader{in: text, out: make([]byte, 0, room), pairs: !utf8.Valid(text), repairs: repairs}
	err := r.messages(nested, result)
	if err != nil && r.pairs {
		*result, *repairs = before, noted
		r = reader{in: text, out: r.out[:0], repairs: repairs}
		err = r.messages(nested, result)
	}
	return err
}

// reader reads a text, and writes the intended JSON.
type reader struct {
	in  []byte
	at  int
	out []byte

	depth, values int
	// pairs is set where a byte beyond ASCII may form a character with the next one.
	pairs   bool
	repairs *repairs
}

// messages reads all objects. Text after them, or between them in arrays, is ignored; so is
// everything from the first unreadable object on, unless it is the first of all.
func (r *reader) messages(nested int, result *Result) error {
	r.skipFront()
	found := 0
	for ; ; found++ {
		r.skipBetween()
		if r.at == len(r.in) {
			break
		}
		start := len(r.out)
		err := r.message(nested, result)
		if err != nil && found == 0 {
			return err
		}
		if err != nil {
			r.out = r.out[:start]
			r.repairs.add(behind)
			break
		}
	}
	if found == 0 {
		return errNoObject
	}
	if found > 1 {
		r.repairs.add(several)
	}
	return nil
}

// message reads an object, or a string that contains some.
func (r *reader) message(nested int, result *Result) error {
	start := len(r.out)
	switch c := r.in[r.at]; {
	case c == '{':
		if err := r.value(); err != nil {
			return err
		}
		if len(result.Objects) == MaxMessages {
			result.LeftOut++
			r.out = r.out[:start]
			return nil
		}
		result.Objects = append(result.Objects, r.out[start:len(r.out):len(r.out)])
		return nil
	case (c == '"' || c == '\'') && nested > 0:
		if err := r.string(); err != nil {
			return err
		}
		text := Unquote(r.out[start:]) // read copies the parts that it keeps
		r.out = r.out[:start]
		r.repairs.add(inString)
		return read(text, nested-1, result, r.repairs)
	default:
		return errNoObject
	}
}

// skipFront skips text before the first object.
func (r *reader) skipFront() {
	r.skipBetween()
	if r.at == len(r.in) || strings.IndexByte(`{"'`, r.in[r.at]) >= 0 {
		return
	}
	window := r.in[r.at:min(len(r.in), r.at+maxInFront)]
	if brace := bytes.IndexByte(window, '{'); brace >= 0 {
		r.at += brace
		r.repairs.add(inFront)
	}
}

// skipBetween skips separators between messages.
func (r *reader) skipBetween() {
	for {
		r.skipSpace()
		if r.at == len(r.in) || strings.IndexByte("[],;\x1e", r.in[r.at]) < 0 {
			return
		}
		if r.in[r.at] == ';' {
			r.repairs.add(several)
		}
		r.at++
	}
}

// value reads a value and writes it.
func (r *reader) value() error {
	r.skipSpace()
	if r.at == len(r.in) {
		return errCutOff
	}
	if r.values++; r.values > maxValues {
		return errManyValues
	}
	switch r.in[r.at] {
	case '{':
		return r.container('}', r.member)
	case '[':
		return r.container(']', r.value)
	case '"', '\'':
		return r.string()
	default:
		return r.bare(false)
	}
}

// container reads a container up to its closing bracket, each part with one.
func (r *reader) container(end byte, one func() error) error {
	if r.depth++; r.depth > MaxDepth {
		return errDeep
	}
	defer func() { r.depth-- }()
	r.out = append(r.out, r.in[r.at])
	r.at++
	for first := true; ; first = false {
		r.skipCommas()
		switch {
		case r.at == len(r.in):
			return errCutOff
		case r.in[r.at] == end:
			r.out = append(r.out, end)
			r.at++
			return nil
		}
		if !first {
			r.out = append(r.out, ',')
		}
		if err := one(); err != nil {
			return err
		}
		r.skipSpace()
		switch {
		case r.at == len(r.in):
			return errCutOff
		case r.in[r.at] == ',':
			r.at++
			r.skipSpace()
			if r.at < len(r.in) && r.in[r.at] == end {
				r.repairs.add(comma)
			}
		case r.in[r.at] != end:
			return errSyntax
		}
	}
}

func (r *reader) skipCommas() {
	for r.skipSpace(); r.at < len(r.in) && r.in[r.at] == ','; r.skipSpace() {
		r.at++
		r.repairs.add(comma)
	}
}

// member reads a name and its value.
func (r *reader) member() error {
	var err error
	if c := r.in[r.at]; c == '"' || c == '\'' {
		err = r.string()
	} else {
		err = r.bare(true)
	}
	if err != nil {
		return err
	}
	r.skipSpace()
	if r.at == len(r.in) {
		return errCutOff
	}
	if r.in[r.at] != ':' {
		return errSyntax
	}
	r.at++
	r.out = append(r.out, ':')
	return r.value()
}

// skipSpace skips white space, zero bytes, byte order marks of UTF-8 and comments.
func (r *reader) skipSpace() {
	for r.at < len(r.in) {
		switch r.in[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		case 0, '\v', '\f':
			r.at++
			r.repairs.add(control)
		case 0xef:
			if !bytes.HasPrefix(r.in[r.at:], []byte("\xef\xbb\xbf")) {
				return
			}
			r.at += 3
		case '#':
			r.skipPast("\n")
		case '/':
			if !r.skipComment() {
				return
			}
		default:
			return
		}
	}
}

// skipComment skips a comment that begins with a slash; false where there is none.
func (r *reader) skipComment() bool {
	rest := r.in[r.at:]
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		r.skipPast("\n")
	case bytes.HasPrefix(rest, []byte("/*")):
		r.at += 2
		r.skipPast("*/")
	default:
		return false
	}
	return true
}

// skipPast skips a comment, including its end.
func (r *reader) skipPast(end string) {
	r.repairs.add(comment)
	at := bytes.Index(r.in[r.at:], []byte(end))
	if at < 0 {
		r.at = len(r.in)
		return
	}
	r.at += at + len(end)
}
