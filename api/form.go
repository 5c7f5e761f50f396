package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"edgelens"
	"edgelens/internal/base64image"
)

// form reads the one file of a multipart form (RFC 7578), whatever its name, and
// options from its fields. It reads the whole form, so that no second image and
// no option after the file is missed; only the image is kept.
func (u *uploadReader) form(body io.Reader, boundary string) (upload, error) {
	parts := multipart.NewReader(newPartHeaders(body, boundary), boundary)
	f := formReader{uploadReader: u}
	for range maxFields {
		part, err := parts.NextPart()
		if err == io.EOF { // wrapped, it is a form that ends early
			return f.end()
		}
		if err != nil {
			return upload{}, formError(err)
		}
		if err := f.take(part); err != nil {
			return upload{}, formError(err)
		}
	}
	return upload{}, fmt.Errorf("%w: the form has %d parts or more", edgelens.ErrInvalid, maxFields)
}

// formReader collects the parts of one form.
type formReader struct {
	*uploadReader
	image upload
	// files are the names of the fields with images, fields those of the others.
	files, fields []string
}

// take processes one part.
func (f *formReader) take(part *multipart.Part) error {
	name, file, isFile := disposition(part.Header.Get("Content-Disposition"))
	content := bufio.NewReaderSize(part, headBytes)
	head, err := content.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch media := mediaType(part.Header.Get("Content-Type")); {
	case isFile && file == "" && len(head) == 0:
		return nil // an empty file input
	case isFile && media != "application/json", strings.HasPrefix(media, "image/"), media == "application/octet-stream",
		base64image.HasSignature(head), isImageField(name) && base64image.Sniff(head):
		return f.file(name, content, head, part.Header.Get("Content-Transfer-Encoding"))
	case isCredential(name):
		return nil // checked before
	case f.options.find(name) != nil:
		if len(head) == headBytes {
			return fmt.Errorf("%w: the field %s is too long", edgelens.ErrInvalid, name)
		}
		return f.text(name, string(head))
	}
	if f.fields = append(f.fields, name); name == "" {
		return nil
	}
	return f.options.ignore(name, "the form")
}

// file reads the first file; of others it only keeps the names.
func (f *formReader) file(name string, content io.Reader, head []byte, encoding string) (err error) {
	if f.files = append(f.files, name); len(f.files) > 1 {
		return nil // NextPart skips it
	}
	switch encoding = strings.ToLower(strings.TrimSpace(encoding)); encoding {
	case "", "binary", "8bit", "7bit":
		f.image, err = f.data(content, base64image.Sniff(head), fmt.Sprintf("the file in the field %q", short(name)))
	case "base64": // RFC 2045; quoted-printable is decoded by the standard library
		f.image, err = f.data(content, true, fmt.Sprintf("the file in the field %q", short(name)))
	default:
		err = fmt.Errorf("%w: the Content-Transfer-Encoding of the field %q must be binary or base64, and not %q", edgelens.ErrInvalid, short(name), short(encoding))
	}
	return err
}

// end validates the form as a whole.
func (f *formReader) end() (upload, error) {
	switch len(f.files) {
	case 0:
		if f.options.mayLackImage() {
			return upload{}, nil
		}
		return upload{}, fmt.Errorf(`%w: the form has no file%s; send the image in a field with a file name, such as "file" (curl -F file=@cat.jpg)`, edgelens.ErrNoImage, butHas(f.fields))
	case 1:
		return f.image, nil
	default:
		return upload{}, fmt.Errorf("%w: the form has more than one file, in the fields %s; send one image in a request", edgelens.ErrInvalid, quoted(f.files))
	}
}

// formError describes an error of the standard library about a form.
func formError(err error) error {
	switch {
	case isWorded(err):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the form is incomplete: its closing boundary is missing, so a part of it may be, too", edgelens.ErrInvalid)
	}
	return fmt.Errorf("%w: the form is malformed: a part's header cannot be read, or the boundary in the Content-Type is not the one in the body", edgelens.ErrInvalid)
}

// disposition parses a Content-Disposition header: the name of the field, the
// file name, and whether there is one, even an empty one. Unquoted names that should
// have been quoted end at the next semicolon.
func disposition(header string) (name, file string, isFile bool) {
	if _, parameters, err := mime.ParseMediaType(header); err == nil {
		file, isFile = parameters["filename"]
		return parameters["name"], file, isFile
	}
	for parameter := range strings.SplitSeq(header, ";") {
		key, value, _ := strings.Cut(parameter, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "name", "name*":
			name = value
		case "filename", "filename*":
			file, isFile = value, true
		}
	}
	return name, file, isFile
}
