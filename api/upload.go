package api

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"edgelens"
	"edgelens/internal/base64image"
	"edgelens/internal/clip"
)

// upload is one image as it was received.
type upload struct {
	image  []byte
	sha256 [sha256.Size]byte
	// buffer has the image, for Server.buffers; nil where it is no buffer of its own.
	buffer []byte
}

// newUpload returns the image that fills a buffer.
func newUpload(buffer []byte) upload {
	return upload{image: slices.Clip(buffer), buffer: buffer}
}

// headBytes is how much of a body or part is read to detect its type.
const headBytes = 512

// howToSend ends the errors about requests without an image.
const howToSend = `send a multipart form with one file, or the image as the body with Content-Type image/jpeg (or png, webp, bmp), or JSON {"image": "<base64>"}`

// readUpload reads the one image of a request, and the options that are beside
// it. Many clients send a wrong Content-Type, so the content decides where it
// is unambiguous, and the Content-Type elsewhere.
func (s *Server) readUpload(r *http.Request, o *options) (upload, error) {
	defer exchangeFrom(r.Context()).noteArrival()
	u, err := s.readBody(r, o)
	return u, bodyError(err)
}

func (s *Server) readBody(r *http.Request, o *options) (upload, error) {
	body := bufio.NewReaderSize(r.Body, headBytes)
	head, err := body.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return upload{}, err
	}
	u := uploadReader{limit: s.config.MaxImageBytes, expected: r.ContentLength, options: o, upload: exchangeFrom(r.Context()).upload, buffers: &s.buffers}
	contentType := r.Header.Get("Content-Type")
	media := mediaType(contentType)
	boundary := formBoundary(head, contentType)
	switch {
	case len(head) == 0 && o.mayLackImage():
		return upload{}, nil
	case len(head) == 0:
		return upload{}, fmt.Errorf("%w: the request has no body; %s", edgelens.ErrNoImage, howToSend)
	case boundary != "":
		return u.form(body, boundary)
	case strings.HasPrefix(media, "multipart/"):
		return upload{}, fmt.Errorf("%w: the Content-Type of the form has no boundary, and the body does not begin with one; let the program that encodes the form set the header", edgelens.ErrInvalid)
	case base64image.HasSignature(head):
		return u.data(body, false, "the body")
	case isJSON(media, head):
		return u.json(body)
	case base64image.Sniff(head):
		return u.data(body, true, "the body")
	case media == "application/x-www-form-urlencoded":
		return u.urlencoded(body)
	case media == "", strings.HasPrefix(media, "image/"), media == "application/octet-stream":
		return u.data(body, false, "the body")
	}
	return upload{}, fmt.Errorf("%w: %s; the Content-Type was %q", edgelens.ErrNoImage, howToSend, short(contentType))
}

// mediaType is the part of a Content-Type in front of its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// isJSON reports whether a body is JSON by its Content-Type (text/json,
// application/problem+json) or because an object begins there.
func isJSON(media string, head []byte) bool {
	subtype := media[strings.IndexByte(media, '/')+1:]
	if subtype == "json" || strings.HasSuffix(subtype, "+json") {
		return true
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	return bytes.HasPrefix(head, []byte("{"))
}

// formBoundary returns the boundary of a multipart form, "" for other bodies. It
// is the one that the body begins with: browsers' scripts often set the
// Content-Type by hand and so omit it, or do not quote it where that is needed.
func formBoundary(head []byte, contentType string) string {
	line, rest, found := bytes.Cut(head, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	const longest = 70 + len("--") // RFC 2046
	if found && len(line) > 2 && len(line) <= longest && bytes.HasPrefix(line, []byte("--")) &&
		len(rest) > 8 && bytes.EqualFold(rest[:8], []byte("content-")) {
		if isStreamPart(rest, contentType) {
			return ""
		}
		return string(line[2:])
	}
	if !strings.HasPrefix(mediaType(contentType), "multipart/") {
		return ""
	}
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return parameters["boundary"]
}

// isStreamPart reports whether a body that begins with part headers is one image of
// a camera's stream (multipart/x-mixed-replace), cut out with the headers in front of
// it, rather than a form: it is labeled as an image, and its headers name no field.
// The headers are skipped where the image is decoded.
func isStreamPart(headers []byte, contentType string) bool {
	if end := bytes.Index(headers, []byte("\n\r\n")); end >= 0 {
		headers = headers[:end]
	}
	return strings.HasPrefix(mediaType(contentType), "image/") && !bytes.Contains(bytes.ToLower(headers), []byte("content-disposition"))
}

// uploadReader reads one body.
type uploadReader struct {
	// limit is the maximum size of an image.
	limit int64
	// expected is the length of the body, or -1: an estimate of the image's,
	// for which the budget for uploads has reserved.
	expected int64
	options  *options
	// upload is what is reserved for the body; nil in a test of the reader alone.
	upload  *reservation
	buffers *bodyBuffers
}

// data reads an image that is all of r, as bytes or in base64; where names it in
// errors.
func (u *uploadReader) data(r io.Reader, isBase64 bool, where string) (upload, error) {
	if isBase64 {
		return u.readBase64(r, where)
	}
	image, err := u.readHashed(r)
	if err == nil && len(image.image) == 0 {
		err = fmt.Errorf("%w: %s is empty", edgelens.ErrNoImage, where)
	}
	return image, err
}

// growth is the minimum free space in a buffer for the next read.
const growth = 512

// readHashed reads r to its end, at most the limit of an image, hashing on the way while
// the bytes are still in the CPU's cache.
func (u *uploadReader) readHashed(r io.Reader) (upload, error) {
	hash := sha256.New()
	image, err := u.buffers.readWith(r, min(u.expected, u.limit), func(n int, read []byte) error {
		hash.Write(read) // never fails
		if int64(n) > u.limit {
			return tooLarge(u.limit)
		}
		return nil
	})
	if err != nil {
		return upload{}, err
	}
	received := newUpload(image)
	hash.Sum(received.sha256[:0])
	return received, nil
}

// readAll reads a body, which boundUploads has limited, to its end.
func readAll(r io.Reader, expected int64) ([]byte, error) {
	var none *bodyBuffers
	return none.readWith(r, expected, func(int, []byte) error { return nil })
}

// readWith reads r to its end into a buffer, and calls look with the number of bytes so far and
// the newest of them.
func (b *bodyBuffers) readWith(r io.Reader, expected int64, look func(n int, read []byte) error) (data []byte, err error) {
	data = b.take(int(min(max(expected, 0), firstStep)) + growth)
	defer func() {
		if err != nil {
			b.give(data)
			data = nil
		}
	}()
	for {
		n, readErr := r.Read(data[len(data):cap(data)])
		read := data[len(data) : len(data)+n]
		data = data[:len(data)+n]
		if err := look(len(data), read); err != nil {
			return data, err
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return data, nil
		case readErr != nil:
			return data, readErr
		case cap(data)-len(data) < growth:
			data = b.grow(data, int(room(int64(len(data)), expected)))
		}
	}
}

// room returns how much a buffer grows that holds n bytes of a body: as its reservation does,
// and no further than the expected length of the body.
func room(n, expected int64) int64 {
	more := step(n, expected) - n
	if left := expected - n; left > 0 && left < more {
		more = left
	}
	return more + growth
}

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: the image has more than %d bytes; scale it down before sending, the model sees a few hundred pixels a side", edgelens.ErrTooLarge, limit)
}

// bodyError describes an error of reading a body, unless it is described already.
func bodyError(err error) error {
	if err == nil || isWorded(err) {
		return err
	}
	return fmt.Errorf("%w: the body ends early or is malformed; send all of it, and its length in Content-Length", edgelens.ErrInvalid)
}

// isWorded reports whether an error is one of ours, or the limit of a body, which
// handleError describes.
func isWorded(err error) bool {
	var limit *http.MaxBytesError
	var refused *refusal
	return errors.As(err, &limit) || errors.As(err, &refused) || edgelens.Code(err) != "internal"
}

// short shortens a client's text in an error.
func short(text string) string { return clip.Text(text, 80, "...") }
