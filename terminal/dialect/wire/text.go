package wire

import (
	"strings"

	"edgelens/internal/clip"
)

// maxName is the maximum length of a device's own name of a message kind.
const maxName = 64

// Name returns a device's own name of something: at most 64 bytes of printable
// ASCII, with "?" for each other character.
func (v Value) Name() string {
	name := make([]byte, 0, maxName)
	for _, r := range v.Text() {
		if len(name) == maxName {
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		name = append(name, byte(r))
	}
	return string(name)
}

// Line returns a text for display: one line of at most limit bytes of UTF-8. Text that looks
// like an image is left out.
func (v Value) Line(limit int) string {
	text := v.Text()
	if looksEncoded(text) {
		return ""
	}
	return clip.Line(text, limit)
}

// longRun is the number of consecutive base64 characters that count as encoded data: an
// image, or features of a face.
const longRun = 256

// looksEncoded reports whether text contains base64: a data URI, or a long run of its
// characters, with line breaks or without.
func looksEncoded(text string) bool {
	if len(text) >= 5 && strings.EqualFold(text[:5], "data:") {
		return true
	}
	run := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '+', c == '/', c == '-', c == '_':
			if run++; run >= longRun {
				return true
			}
		case c == '\r', c == '\n':
		default:
			run = 0
		}
	}
	return false
}
