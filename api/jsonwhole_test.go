package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"edgelens"
	"edgelens/internal/base64image"
)

// This is the decoder of JSON that has the whole text in memory, with which the one that reads it as it arrives is
// compared.

// wholeJSON is what json must equal: it reads the image, and options, from the members of a JSON object.
func (u *uploadReader) wholeJSON(body io.Reader) (upload, error) {
	text, err := readAll(body, u.expected)
	if err != nil {
		return upload{}, err
	}
	if err := wholeKind(text); err != nil {
		return upload{}, err
	}
	members, err := wholeMembers(text)
	if err != nil {
		return upload{}, fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
	}
	var image *member
	var names, images []string
	for i, m := range members {
		switch {
		case strings.EqualFold(m.name, imageMember):
			if image != nil {
				return upload{}, fmt.Errorf(`%w: the JSON has the member "image" twice; send one image in a request`, edgelens.ErrInvalid)
			}
			image = &members[i]
		case findOption(m.name) != nil:
			if err := u.options.addJSON(m); err != nil {
				return upload{}, err
			}
		default:
			names = append(names, m.name)
			if wholeOtherImage(m) {
				images = append(images, m.name)
			}
			if err := u.options.ignore(m.name, "the JSON"); err != nil {
				return upload{}, err
			}
		}
	}
	if image == nil {
		return upload{}, fmt.Errorf(`%w: the JSON has no member "image"%s; put the base64 of the image there: {"image": "<base64>"}`, edgelens.ErrNoImage, butHas(names))
	}
	if len(images) > 0 {
		return upload{}, fmt.Errorf("%w: the request has more than one image, in %q and %q; send one in a request", edgelens.ErrInvalid, imageMember, short(images[0]))
	}
	return u.wholeImage(*image)
}

// wholeKind rejects JSON that cannot be an object, with a sentence on what
// it is.
func wholeKind(text []byte) error {
	const wanted = `the JSON must be an object such as {"image": "<base64>"}`
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return fmt.Errorf("%w: the JSON is in UTF-16; send it in UTF-8", edgelens.ErrInvalid)
	}
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case len(trimmed) == 0:
		return fmt.Errorf("%w: the body is blank; %s", edgelens.ErrNoImage, wanted)
	case trimmed[0] == '[':
		return fmt.Errorf("%w: %s, and is an array; send one image in a request", edgelens.ErrInvalid, wanted)
	case trimmed[0] == '"':
		return fmt.Errorf("%w: %s, and is a string", edgelens.ErrInvalid, wanted)
	}
	return nil
}

// wholeImage decodes the member "image".
func (u *uploadReader) wholeImage(m member) (upload, error) {
	const where = `the member "image"`
	switch {
	case m.isString():
		return u.base64(stringContent(m.value), where)
	case string(m.value) == "null":
		return upload{}, fmt.Errorf("%w: %s is null", edgelens.ErrNoImage, where)
	}
	kind := "a number or a boolean"
	if m.value[0] == '{' || m.value[0] == '[' {
		kind = `an object or an array (with Node, send buffer.toString("base64"))`
	}
	return upload{}, fmt.Errorf("%w: %s must be a string of base64, and is %s", edgelens.ErrInvalid, where, kind)
}

// wholeOtherImage reports whether a member beside "image" is or contains another image: only
// the client can decide which of them is meant.
func wholeOtherImage(m member) bool {
	name := strings.TrimSuffix(strings.TrimSuffix(plainName(m.name), "base64"), "b64")
	name = strings.TrimSuffix(strings.TrimRight(name, "0123456789"), "s")
	if name == imageMember {
		return !slices.Contains([]string{"null", `""`, "[]"}, string(m.value))
	}
	if !slices.ContainsFunc(imageFields, func(field string) bool { return strings.TrimSuffix(field, "s") == name }) {
		return false
	}
	value := bytes.TrimLeft(m.value, "[ \t\r\n") // the first of several
	if len(value) == 0 || value[0] != '"' {
		return false
	}
	head := value[1:min(len(value), 1+headBytes)]
	if end := bytes.IndexByte(head, '"'); end >= 0 {
		head = head[:end]
	}
	return base64image.Sniff(bytes.ReplaceAll(head, []byte(`\/`), []byte("/"))) // as PHP escapes it
}

// wholeMembers returns the members of the one object (RFC 8259) that text
// consists of; only their names are copied. Beyond the RFC it accepts a byte
// order mark in front and, because shells put whole files of base64 between
// quotes, line breaks and tabs in strings. It is linear in the length of the
// text.
func wholeMembers(text []byte) ([]member, error) {
	r := wholeReader{text: text}
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
		members = append(members, member{name, value, nil})
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

// wholeReader reads one text from its start to its end.
type wholeReader struct {
	text []byte
	at   int
}

func (r *wholeReader) fail(what string) error { return &jsonError{what, int64(r.at)} }

// next returns the next byte, 0 at the end.
func (r *wholeReader) next() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *wholeReader) space() {
	for r.at < len(r.text) && isBlank(r.text[r.at]) {
		r.at++
	}
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// object reads an object and calls found for each of its members.
func (r *wholeReader) object(depth int, found func(name string, value []byte) error) error {
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
func (r *wholeReader) list(closing byte, element func() error) error {
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

func (r *wholeReader) value(depth int) error {
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
func (r *wholeReader) scalar() error {
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
func (r *wholeReader) string() ([]byte, error) {
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
