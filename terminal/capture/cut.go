package capture

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"edgelens/internal/clip"
)

const (
	// longRun is the number of consecutive base64 characters that count as an image, or as
	// features of a face.
	longRun = 128
	// maxText is the number of bytes of a message that are logged.
	maxText = 64 << 10
)

// Cut returns a message's text with long base64 replaced by its size and digest:
// "<image: 48213 bytes, sha256 ...>". A payload that is not text is replaced as a whole.
// The result is UTF-8 of at most 64 KiB and a word.
func Cut(payload []byte) string {
	if !utf8.Valid(payload) {
		return described("not text", payload)
	}
	var out strings.Builder
	for i := 0; i < len(payload); {
		end := endOfRun(payload, i)
		if end-i < longRun {
			end = max(end, i+1)
			out.Write(payload[i:end])
		} else {
			out.WriteString(describe(payload[i:end]))
		}
		if i = end; out.Len() > maxText {
			return clip.Text(out.String(), maxText, fmt.Sprintf("<cut: %d bytes in all>", len(payload)))
		}
	}
	return out.String()
}

// endOfRun returns the index after the base64 that begins at i: of the standard or the URL
// alphabet, with escapes and line breaks of JSON in between.
func endOfRun(text []byte, i int) int {
	for i < len(text) {
		switch c := text[i]; {
		case inBase64(c), c == '\r', c == '\n':
			i++
		case c == '\\' && i+1 < len(text) && (text[i+1] == '/' || text[i+1] == 'n' || text[i+1] == 'r'):
			i += 2
		default:
			return i
		}
	}
	return i
}

func inBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '+' || c == '/' || c == '-' || c == '_' || c == '='
}

// escapes removes what may be between the characters of base64, and unifies the alphabets.
var escapes = strings.NewReplacer(`\/`, "/", `\n`, "", `\r`, "", "\n", "", "\r", "", "-", "+", "_", "/", "=", "")

// describe returns the description of a run: an image where it can be decoded.
func describe(run []byte) string {
	image, err := base64.RawStdEncoding.DecodeString(escapes.Replace(string(run)))
	if err != nil {
		return described("long text", run)
	}
	return described("image", image)
}

func described(what string, data []byte) string {
	if bytes.HasPrefix(data, []byte{0xff, 0xd8, 0xff}) {
		what = "image"
	}
	return fmt.Sprintf("<%s: %d bytes, sha256 %x>", what, len(data), sha256.Sum256(data))
}
