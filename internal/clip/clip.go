// Package clip bounds texts of others for logs, errors and sentences. Its functions are safe
// for use by many goroutines.
package clip

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns text or, where it is longer than limit bytes, its start of at most limit
// bytes with mark behind it. It cuts between characters; bytes that are not UTF-8 stay as
// they are.
func Text(text string, limit int, mark string) string {
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > 0 && limit-end < utf8.UTFMax-1 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

// Line returns text as one line of valid UTF-8 of at most limit bytes: control characters
// are replaced by spaces, and bytes that are not UTF-8 by U+FFFD.
func Line(text string, limit int) string {
	return Text(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text), limit, "")
}

// ASCII returns the first characters of text, at most limit, as printable ASCII: each other
// character is replaced by "?".
func ASCII(text string, limit int) string {
	shown := make([]byte, 0, min(limit, len(text)))
	for _, r := range text {
		if len(shown) == limit {
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		shown = append(shown, byte(r))
	}
	return string(shown)
}
