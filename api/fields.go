package api

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"edgelens"
	"edgelens/internal/base64image"
)

// json reads the image, and options, from the members of a JSON object, and decodes the image
// as it arrives. Like a form, it is read to its end, whatever is wrong with it.
func (u *uploadReader) json(body io.Reader) (upload, error) {
	j := jsonUpload{uploadReader: u}
	j.text = newJSONReader(readerFunc(func(p []byte) (int, error) {
		u.upload.hold(j.data.size())
		return body.Read(p)
	}), u.pieceSize())
	err := checkJSONKind(j.text)
	if err == nil {
		if err = j.text.members(j.begin, j.take); err != nil {
			err = fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
		}
	}
	if err != nil {
		j.data = nil
	}
	if broken := j.text.finish(); broken != nil {
		return upload{}, broken
	}
	if err != nil {
		return upload{}, err
	}
	return j.end()
}

// jsonUpload collects the members of one JSON object.
type jsonUpload struct {
	*uploadReader
	text *jsonReader
	// image is the member with the image, nil until it is read; data is the image, where it is
	// a string.
	image *member
	data  *base64Upload
	// names are those of members that are no options, images those of other images.
	names, images []string
	// err is the first error about a member.
	err error
}

// begin returns what decodes the value of a member, nil for all but the image.
func (j *jsonUpload) begin(name string) func(piece []byte) {
	if j.err != nil || j.image != nil || !strings.EqualFold(name, imageMember) {
		return nil
	}
	j.data = j.newBase64(j.text.at)
	return j.data.write
}

// take processes one member. After an error, the rest is checked to be JSON.
func (j *jsonUpload) take(m member) {
	if j.err != nil {
		return
	}
	if j.err = j.add(m); j.err != nil {
		j.data = nil
	}
}

func (j *jsonUpload) add(m member) error {
	switch {
	case strings.EqualFold(m.name, imageMember):
		if j.image != nil {
			return fmt.Errorf(`%w: the JSON has the member "image" twice; send one image in a request`, edgelens.ErrInvalid)
		}
		j.image = &m
		return nil
	case j.options.find(m.name) != nil:
		return j.options.addJSON(m)
	}
	j.names = append(j.names, m.name)
	if isOtherImage(m) {
		j.images = append(j.images, m.name)
	}
	return j.options.ignore(m.name, "the JSON")
}

// end returns the image, or what is wrong with the members.
func (j *jsonUpload) end() (upload, error) {
	const where = `the member "image"`
	switch {
	case j.err != nil:
		return upload{}, j.err
	case j.image == nil && j.options.mayLackImage():
		return upload{}, nil
	case j.image == nil:
		return upload{}, fmt.Errorf(`%w: the JSON has no member "image"%s; put the base64 of the image there: {"image": "<base64>"}`, edgelens.ErrNoImage, butHas(j.names))
	case len(j.images) > 0:
		return upload{}, fmt.Errorf("%w: the request has more than one image, in %q and %q; send one in a request", edgelens.ErrInvalid, imageMember, short(j.images[0]))
	case j.image.isString():
		return j.data.end(where)
	case string(j.image.value) == "null":
		return upload{}, fmt.Errorf("%w: %s is null", edgelens.ErrNoImage, where)
	}
	kind := "a number or a boolean"
	if first := j.image.value[0]; first == '{' || first == '[' {
		kind = `an object or an array (with Node, send buffer.toString("base64"))`
	}
	return upload{}, fmt.Errorf("%w: %s must be a string of base64, and is %s", edgelens.ErrInvalid, where, kind)
}

const imageMember = "image"

// checkJSONKind rejects JSON that cannot be an object, with a sentence on what it is, and
// passes what may be in front of one.
func checkJSONKind(text *jsonReader) error {
	const wanted = `the JSON must be an object such as {"image": "<base64>"}`
	if head := text.window(2); bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return fmt.Errorf("%w: the JSON is in UTF-16; send it in UTF-8", edgelens.ErrInvalid)
	}
	text.start()
	switch {
	case text.atEnd():
		return fmt.Errorf("%w: the body is blank; %s", edgelens.ErrNoImage, wanted)
	case text.next() == '[':
		return fmt.Errorf("%w: %s, and is an array; send one image in a request", edgelens.ErrInvalid, wanted)
	case text.next() == '"':
		return fmt.Errorf("%w: %s, and is a string", edgelens.ErrInvalid, wanted)
	}
	return nil
}

// isOtherImage reports whether a member beside "image" is or contains another image: only
// the client can decide which of them is meant.
func isOtherImage(m member) bool {
	name := strings.TrimSuffix(strings.TrimSuffix(plainName(m.name), "base64"), "b64")
	name = strings.TrimSuffix(strings.TrimRight(name, "0123456789"), "s")
	if name == imageMember {
		return !slices.Contains([]string{"null", `""`, "[]"}, string(m.value))
	}
	if !slices.ContainsFunc(imageFields, func(field string) bool { return strings.TrimSuffix(field, "s") == name }) {
		return false
	}
	value := m.inner // the first of several
	if len(value) == 0 || value[0] != '"' {
		return false
	}
	head := value[1:min(len(value), 1+headBytes)]
	if end := bytes.IndexByte(head, '"'); end >= 0 {
		head = head[:end]
	}
	return base64image.Sniff(bytes.ReplaceAll(head, []byte(`\/`), []byte("/"))) // as PHP escapes it
}

// butHas lists the names that are present, as a part of a sentence.
func butHas(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", but has " + quoted(names)
}

// quoted lists names in quotes, up to a limit.
func quoted(names []string) string {
	const most = 10
	var list []string
	for i, name := range names {
		if i == most {
			list = append(list, "others")
			break
		}
		list = append(list, strconv.Quote(short(name)))
	}
	return strings.Join(list, ", ")
}

// imageFields are the names under which a text field, and not only a file, may
// contain the image.
var imageFields = []string{"file", "files", "image", "img", "photo", "picture", "upload", "data"}

func isImageField(name string) bool { return slices.Contains(imageFields, plainName(name)) }

// maxFields is the maximum number of fields or parts in a form.
const maxFields = 100

// urlencoded reads the image, in base64, and options from the fields of a form
// as browsers send it by default.
func (u *uploadReader) urlencoded(body io.Reader) (upload, error) {
	text, err := readAll(body, u.expected)
	if err != nil {
		return upload{}, err
	}
	var image []byte
	var imageName string
	var names []string
	for field := range bytes.SplitSeq(text, []byte("&")) {
		escaped, value, _ := bytes.Cut(field, []byte("="))
		name, err := url.QueryUnescape(string(escaped[:min(len(escaped), headBytes)]))
		if names = append(names, name); err != nil || len(names) > maxFields {
			return upload{}, fmt.Errorf("%w: the body is no urlencoded form; %s", edgelens.ErrInvalid, howToSend)
		}
		switch known := u.options.find(name); {
		case isCredential(name): // checked before
		case known != nil:
			if err := u.field(name, value); err != nil {
				return upload{}, err
			}
		case isImageField(name):
			// + is literal in base64, whether the client escaped it or not.
			value = unescapePercent(value)
			if len(value) == 0 || name != imageMember && !base64image.Sniff(value) {
				u.options.ignored = append(u.options.ignored, name)
				break
			}
			if image != nil {
				return upload{}, fmt.Errorf("%w: the form has two images, in %q and %q; send one in a request", edgelens.ErrInvalid, imageName, short(name))
			}
			image, imageName = value, short(name)
		case name != "":
			if err := u.options.ignore(name, "the form"); err != nil {
				return upload{}, err
			}
		}
	}
	if image == nil && u.options.mayLackImage() {
		return upload{}, nil
	}
	if image == nil {
		return upload{}, fmt.Errorf(`%w: the urlencoded form has no field "image"%s; %s`, edgelens.ErrNoImage, butHas(names), howToSend)
	}
	return u.base64(image, fmt.Sprintf("the field %q", imageName))
}

// unescapePercent replaces percent escapes (RFC 3986) in place; invalid ones
// stay.
func unescapePercent(text []byte) []byte {
	out := text[:0]
	for i := 0; i < len(text); i++ {
		b := text[i]
		if b == '%' && i+2 < len(text) {
			if value := hexDigits(text[i+1 : i+3]); value >= 0 {
				b, i = byte(value), i+2
			}
		}
		out = append(out, b)
	}
	return out
}

// field reads an option from an urlencoded form.
func (u *uploadReader) field(name string, value []byte) error {
	text, err := url.QueryUnescape(string(value[:min(len(value), headBytes)]))
	if err != nil {
		return fmt.Errorf("%w: the field %s cannot be read; write %% as %%25 in values", edgelens.ErrInvalid, name)
	}
	return u.text(name, text)
}

// text reads an option from a field; an empty input is none.
func (u *uploadReader) text(name, text string) error {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return u.options.add(name, text, "the form")
}
