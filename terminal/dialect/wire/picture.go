package wire

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// DefaultMaxImageBytes is how large a picture may be, decoded, where nobody
// says otherwise.
const DefaultMaxImageBytes = 10 << 20

// The reasons for which there is no picture.
const (
	NoPicture  = "The terminal sent no picture."
	notBase64  = "The picture is not valid base64."
	tooLargeOf = "The picture has %d bytes; at most %d are taken."
)

// TooLarge is the reason for refusing a picture of size bytes.
func TooLarge(size, limit int64) string { return fmt.Sprintf(tooLargeOf, size, limit) }

// Picture returns the encoded picture, at most limit bytes, that a string has
// in base64: of the standard or the URL alphabet, padded or not, with white
// space anywhere, bare or in a data URI. Where there is none, reason says why in
// a sentence.
func (v Value) Picture(limit int64) (picture []byte, reason string) {
	if v.IsNull() {
		return nil, NoPicture
	}
	if !v.isString() {
		return nil, notBase64
	}
	text := []byte(v[1 : len(v)-1])
	if bytes.IndexByte(text, '\\') >= 0 {
		text = []byte(unquote(v)) // "\/" and "\n" are common
	}
	return decodeBase64(text, limit)
}

func decodeBase64(text []byte, limit int64) (picture []byte, reason string) {
	text = bytes.Trim(text, " \t\r\n")
	if len(text) >= 5 && bytes.EqualFold(text[:5], []byte("data:")) {
		header, data, found := bytes.Cut(text, []byte(","))
		kind, encoding := header, []byte(nil)
		if i := bytes.LastIndexByte(header, ';'); i >= 0 {
			kind, encoding = header[:i], bytes.TrimSpace(header[i+1:])
		}
		if !found || len(kind) > maxMediaType || !bytes.EqualFold(encoding, []byte("base64")) {
			return nil, notBase64
		}
		text = data
	}
	text = bytes.Trim(text, "= \t\r\n")
	if len(text) == 0 {
		return nil, NoPicture
	}
	encoding := base64.RawStdEncoding
	if size := int64(encoding.DecodedLen(len(text) - countSpace(text))); size > limit {
		return nil, TooLarge(size, limit)
	}
	picture = make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Decode(picture, text)
	if err != nil {
		n, err = encoding.Decode(picture, standard(text))
	}
	if err != nil {
		return nil, notBase64
	}
	return picture[:n:n], ""
}

// maxMediaType is how long what stands before ";base64" may be.
const maxMediaType = 256

func countSpace(text []byte) int {
	count := 0
	for _, space := range []string{" ", "\t", "\r", "\n"} {
		count += bytes.Count(text, []byte(space))
	}
	return count
}

// standard returns text in the standard alphabet, without white space.
func standard(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		switch r {
		case '-':
			return '+'
		case '_':
			return '/'
		case ' ', '\t', '\r', '\n':
			return -1
		default:
			return r
		}
	}, text)
}

// CheckMaxImageBytes reports a setting of the largest picture that cannot be.
func CheckMaxImageBytes(limit int64) error {
	const least, most = 1 << 10, 256 << 20
	if limit < least || limit > most {
		return fmt.Errorf("max_image_bytes must be %d to %d, not %d", least, most, limit)
	}
	return nil
}
