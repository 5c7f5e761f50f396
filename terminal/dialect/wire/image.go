package wire

import (
	"bytes"
	"errors"
	"fmt"

	"edgelens/internal/base64image"
)

// DefaultMaxImageBytes is the default maximum size of a decoded image.
const DefaultMaxImageBytes = 10 << 20

// The reasons for a missing image.
const (
	NoImage    = "The terminal sent no image."
	notBase64  = "The image is not valid base64."
	tooLargeOf = "The image has %d bytes; at most %d are accepted."
)

// TooLarge returns the reason for refusing an image of size bytes.
func TooLarge(size, limit int64) string { return fmt.Sprintf(tooLargeOf, size, limit) }

// Image returns the encoded image, at most limit bytes, from a string in base64: of the
// standard or the URL alphabet, padded or not, with white space anywhere, bare or in a data
// URI. Where there is none, reason is a sentence with the cause.
func (v Value) Image(limit int64) (image []byte, reason string) {
	if v.IsNull() {
		return nil, NoImage
	}
	if !v.isString() {
		return nil, notBase64
	}
	text := []byte(v[1 : len(v)-1])
	if bytes.IndexByte(text, '\\') >= 0 {
		text = []byte(unquote(v)) // "\/" and "\n" are common
	}
	return Image(text, limit)
}

// Image is Value.Image for a text without quotes.
func Image(text []byte, limit int64) (image []byte, reason string) {
	image, err := base64image.Decode(nil, text, limit)
	var large *base64image.TooLargeError
	switch {
	case err == nil:
		return image[:len(image):len(image)], ""
	case errors.Is(err, base64image.ErrEmpty):
		return nil, NoImage
	case errors.As(err, &large):
		return nil, TooLarge(large.Size, limit)
	default:
		return nil, notBase64
	}
}

// CheckMaxImageBytes returns an error for an invalid setting of the largest image.
func CheckMaxImageBytes(limit int64) error {
	const lowest, highest = 1 << 10, 256 << 20
	if limit < lowest || limit > highest {
		return fmt.Errorf("max_image_bytes must be %d to %d, not %d", lowest, highest, limit)
	}
	return nil
}
