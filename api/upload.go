package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"edgelens"
)

// upload is one picture as it came.
type upload struct {
	image  []byte
	sha256 [sha256.Size]byte
}

// readUpload takes the picture from whichever of the three forms was sent.
func (s *Server) readUpload(ctx context.Context, r RecognizeRequestObject) (upload, error) {
	expected := exchangeFrom(ctx).bodyBytes
	var u upload
	var err error
	switch {
	case r.MultipartBody != nil:
		u, err = s.readMultipart(r.MultipartBody, expected)
	case r.JSONBody != nil:
		u, err = s.readBase64(r.JSONBody.Image)
	case isPicture(r.ContentType):
		u, err = readHashed(r.Body, expected, s.config.MaxImageBytes)
	default:
		err = fmt.Errorf("%w: send a multipart form with the field \"file\", or the picture as the body with Content-Type image/jpeg (or png, webp, bmp), or JSON {\"image\": \"<base64>\"}; the Content-Type was %q", edgelens.ErrNoImage, clip(r.ContentType))
	}
	if err != nil {
		return upload{}, err
	}
	if len(u.image) == 0 {
		return upload{}, fmt.Errorf("%w: the picture has 0 bytes", edgelens.ErrNoImage)
	}
	return u, nil
}

// isPicture accepts image/* and what tools send that do not look at the file.
// What the bytes really are is decided by their content alone.
func isPicture(contentType string) bool {
	return strings.HasPrefix(contentType, "image/") || strings.HasPrefix(contentType, "application/octet-stream")
}

// readMultipart reads the first part named "file", without a temporary file.
func (s *Server) readMultipart(form *multipart.Reader, expected int64) (upload, error) {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return upload{}, fmt.Errorf("%w: the form has no field named \"file\", or ends before it", edgelens.ErrNoImage)
		}
		if err != nil {
			return upload{}, bodyError(err)
		}
		if part.FormName() == "file" {
			return readHashed(part, expected, s.config.MaxImageBytes)
		}
	}
}

// readBase64 takes standard and URL-safe base64, padded or not, with or
// without a data URI in front (RFC 2397, RFC 4648).
func (s *Server) readBase64(text string) (upload, error) {
	if strings.HasPrefix(text, "data:") {
		header, data, found := strings.Cut(text, ",")
		if !found || !strings.HasSuffix(header, ";base64") {
			return upload{}, fmt.Errorf("%w: the data URI in \"image\" must have the form data:image/jpeg;base64,<base64>", edgelens.ErrInvalid)
		}
		text = data
	}
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	image, err := encoding.DecodeString(text)
	if err != nil {
		return upload{}, fmt.Errorf("%w: \"image\" is not base64: %v", edgelens.ErrInvalid, err)
	}
	if int64(len(image)) > s.config.MaxImageBytes {
		return upload{}, tooLarge(s.config.MaxImageBytes)
	}
	return upload{image: image, sha256: sha256.Sum256(image)}, nil
}

// readHashed reads r to its end, at most limit bytes, hashing on the way while
// the bytes are still in the CPU's cache. expected is a guess at their number,
// so that the buffer need not grow; the budget for uploads has it reserved.
func readHashed(r io.Reader, expected, limit int64) (upload, error) {
	const leastRoom = 512
	image := make([]byte, 0, min(max(expected, 0), limit)+leastRoom)
	hash := sha256.New()
	for {
		n, err := r.Read(image[len(image):cap(image)])
		hash.Write(image[len(image) : len(image)+n]) // never fails
		image = image[:len(image)+n]
		switch {
		case int64(len(image)) > limit:
			return upload{}, tooLarge(limit)
		case errors.Is(err, io.EOF):
			u := upload{image: image}
			hash.Sum(u.sha256[:0])
			return u, nil
		case err != nil:
			return upload{}, bodyError(err)
		case cap(image)-len(image) < leastRoom:
			image = slices.Grow(image, len(image)+leastRoom)
		}
	}
}

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: the picture has more than %d bytes; scale it down before sending, the model sees a few hundred pixels a side", edgelens.ErrTooLarge, limit)
}

// bodyError keeps the body limit apart from a body that broke off.
func bodyError(err error) error {
	var limit *http.MaxBytesError
	if errors.As(err, &limit) {
		return err
	}
	return fmt.Errorf("%w: the body ends early or is malformed: %v", edgelens.ErrInvalid, err)
}

// clip keeps a client's words short in an error.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
