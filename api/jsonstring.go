package api

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string; content gets what is between its quotes, without escapes.
func (r *jsonReader) string(content func(piece []byte)) error {
	r.skip(1)
	r.piece = r.piece[:0]
	control := int64(-1)
	for {
		text := r.window(1)
		if len(text) == 0 {
			return r.fail("the closing quote of a string is missing")
		}
		if n := r.characters(content, text); n > 0 {
			r.skip(n)
			continue
		}
		switch text[0] {
		case '\\':
			if err := r.escape(content); err != nil {
				return err
			}
		case '"':
			r.skip(1)
			if control >= 0 {
				return &jsonError{"there is a control character in a string", control}
			}
			if len(r.piece) > 0 {
				content(r.piece)
			}
			return nil
		default:
			if control < 0 {
				control = r.at
			}
			content = nil // it is an error in any case; of which kind, depends on the rest
			r.skip(1 + untilSyntax(text[1:]))
		}
	}
}

// characters passes on the characters at the begin of text that need no look at what follows, and returns the
// length of their text.
func (r *jsonReader) characters(content func(piece []byte), text []byte) int {
	n := 0
	for {
		length := plainLength(text[n:])
		r.add(content, text[n:n+length])
		if n += length; n+1 >= len(text) || text[n] != '\\' || shortEscapes[text[n+1]] == 0 {
			return n
		}
		if content != nil {
			r.makeRoom(content, 1)
			r.piece = append(r.piece, shortEscapes[text[n+1]])
		}
		n += 2
	}
}

// plainLength is how many bytes at the begin of text are just what they are in a string.
func plainLength(text []byte) int {
	for i, b := range text {
		if !unescaped[b] {
			return i
		}
	}
	return len(text)
}

// untilSyntax is how many bytes at the begin of text are no quote and no backslash.
func untilSyntax(text []byte) int {
	for i, b := range text {
		if b == '"' || b == '\\' {
			return i
		}
	}
	return len(text)
}

var unescaped = func() (table [256]bool) {
	for b := range table {
		table[b] = b >= ' ' && b != '"' && b != '\\' || b == '\n' || b == '\r' || b == '\t'
	}
	return table
}()

// enoughAtOnce is the length of a part of a string that is passed on without a copy: shorter
// ones between escapes are joined.
const enoughAtOnce = 2 << 10

// add passes on a part of a string, or keeps it until there is more.
func (r *jsonReader) add(content func(piece []byte), part []byte) {
	if content == nil {
		return
	}
	r.makeRoom(content, len(part))
	if len(r.piece) == 0 && len(part) >= enoughAtOnce {
		content(part)
		return
	}
	r.piece = append(r.piece, part...)
}

// makeRoom passes on what is kept where n more bytes would be too many.
func (r *jsonReader) makeRoom(content func(piece []byte), n int) {
	if len(r.piece)+n > maxPiece {
		content(r.piece)
		r.piece = r.piece[:0]
	}
}

// escape reads an escape, or two that are one character.
func (r *jsonReader) escape(content func(piece []byte)) error {
	text := r.window(2 * longestEscape)
	n := escapeLength(text)
	switch {
	case n == 0:
		return r.badEscape()
	case n == longestEscape && pairAt(text) != utf8.RuneError:
		n = 2 * longestEscape
	}
	if content != nil {
		r.makeRoom(content, n)
		r.piece = appendEscape(r.piece, text[:n])
	}
	r.skip(n)
	return nil
}

// badEscape returns the error of a backslash without an escape; only where the string has an
// end, as anything else may be cut off.
func (r *jsonReader) badEscape() error {
	bad := r.fail("a backslash with no such escape")
	for r.skip(1); ; r.skip(r.in.Buffered()) {
		switch text := r.window(1); {
		case len(text) == 0:
			return r.fail("the closing quote of a string is missing")
		case bytes.IndexByte(text, '"') >= 0:
			return bad
		}
	}
}

// shortEscapes maps the letters after a backslash to their characters.
var shortEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escapeLength is the length of the escape at the start of text, 0 for none.
func escapeLength(text []byte) int {
	switch {
	case len(text) < 2 || text[0] != '\\':
		return 0
	case shortEscapes[text[1]] != 0:
		return 2
	case text[1] == 'u' && len(text) >= longestEscape && hexDigits(text[2:longestEscape]) >= 0:
		return longestEscape
	}
	return 0
}

// longestEscape is the length of \uXXXX. A character beyond them is written as two.
const longestEscape = 6

// pairAt returns the character that the two escapes at the start of text are together (a
// surrogate pair), utf8.RuneError if they are not.
func pairAt(text []byte) rune {
	if escapeLength(text) < longestEscape || escapeLength(text[longestEscape:]) < longestEscape {
		return utf8.RuneError
	}
	return utf16.DecodeRune(hexDigits(text[2:longestEscape]), hexDigits(text[longestEscape+2:2*longestEscape]))
}

// hexDigits returns the value of hexadecimal digits, or -1.
func hexDigits(digits []byte) rune {
	var value rune
	for _, d := range digits {
		switch {
		case '0' <= d && d <= '9':
			value = value<<4 | rune(d-'0')
		case 'a' <= d|0x20 && d|0x20 <= 'f':
			value = value<<4 | rune(d|0x20-'a'+10)
		default:
			return -1
		}
	}
	return value
}

// unescape appends the content of a string to dst, which may be content[:0]: no
// escape is shorter than its character.
func unescape(dst, content []byte) []byte {
	for {
		i := bytes.IndexByte(content, '\\')
		if i < 0 {
			return append(dst, content...)
		}
		dst, content = append(dst, content[:i]...), content[i:]
		n := escapeLength(content)
		if n == longestEscape && pairAt(content) != utf8.RuneError {
			n = 2 * longestEscape
		}
		dst, content = appendEscape(dst, content[:n]), content[n:]
	}
}

// appendEscape appends the character of an escape, or of two that are one character.
func appendEscape(dst, escape []byte) []byte {
	switch len(escape) {
	case 2:
		return append(dst, shortEscapes[escape[1]])
	case longestEscape:
		return utf8.AppendRune(dst, hexDigits(escape[2:]))
	default:
		return utf8.AppendRune(dst, pairAt(escape))
	}
}
