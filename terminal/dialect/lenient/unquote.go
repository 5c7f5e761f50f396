package lenient

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote returns the text of a valid JSON string, given with its quotes. Bytes that are
// not UTF-8 stay as they are: their character set is not known yet. The result may share
// memory with quoted.
func Unquote(quoted []byte) []byte {
	inside := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	text := make([]byte, 0, len(inside))
	for len(inside) > 0 {
		at := bytes.IndexByte(inside, '\\')
		if at < 0 || at+1 == len(inside) {
			return append(text, inside...)
		}
		text = append(text, inside[:at]...)
		inside = inside[at+1:]
		if letter := inside[0]; letter != 'u' {
			text = append(text, escaped(letter))
			inside = inside[1:]
			continue
		}
		r, n := escapedRune(inside)
		text = utf8.AppendRune(text, r)
		inside = inside[n:]
	}
	return text
}

// escaped returns the byte that is written as a backslash and the letter (RFC 8259, 7).
func escaped(letter byte) byte {
	switch letter {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return letter
	}
}

// escapedRune decodes the "uXXXX" at the start of text, and the second half of a surrogate
// pair after it; n is the number of bytes. Half a pair is U+FFFD.
func escapedRune(text []byte) (r rune, n int) {
	first, ok := hex4(text)
	if !ok {
		return utf8.RuneError, 1
	}
	if !utf16.IsSurrogate(first) {
		return first, 5
	}
	if len(text) > 5 && text[5] == '\\' {
		if second, ok := hex4(text[6:]); ok {
			if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
				return r, 11
			}
		}
	}
	return utf8.RuneError, 5
}

// hex4 decodes the "uXXXX" at the start of text.
func hex4(text []byte) (rune, bool) {
	if len(text) < 5 || text[0] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[1:5]), 16, 16)
	return rune(n), err == nil
}
