package lenient

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxBare is the maximum length of a value without quotes.
const maxBare = 256

// maxWord is the maximum length of a word with a special meaning; longer ones are strings.
const maxWord = 12

// string reads a string in quotes of either kind, and writes it in JSON.
func (r *reader) string() error {
	quote := r.in[r.at]
	if quote == '\'' {
		r.repairs.add(quotes)
	}
	r.at++
	r.out = append(r.out, '"')
	for {
		start := r.at
		for r.at < len(r.in) && plain[r.in[r.at]] {
			r.at++
		}
		r.out = append(r.out, r.in[start:r.at]...)
		if r.at == len(r.in) {
			return errCutOff
		}
		switch c := r.in[r.at]; {
		case c == quote:
			r.at++
			r.out = append(r.out, '"')
			return nil
		case c == '\\':
			r.escape()
		case c >= 0x80:
			r.beyondASCII()
		default:
			r.character(c)
			r.at++
		}
	}
}

// plain are the bytes that need no escape in strings with either quote.
var plain = func() (table [256]bool) {
	for c := ' '; c < 0x80; c++ {
		table[c] = c != '"' && c != '\'' && c != '\\'
	}
	return table
}()

// character writes a character that JSON writes differently.
func (r *reader) character(c byte) {
	switch c {
	case '"':
		r.out = append(r.out, `\"`...)
	case '\'':
		r.out = append(r.out, '\'')
	case '\n':
		r.repairs.add(control)
		r.out = append(r.out, `\n`...)
	case '\r':
		r.repairs.add(control)
		r.out = append(r.out, `\r`...)
	case '\t':
		r.repairs.add(control)
		r.out = append(r.out, `\t`...)
	case 0: // firmware pads with zero bytes
		r.repairs.add(control)
	default:
		r.repairs.add(control)
		r.out = append(r.out, ' ')
	}
}

// escape reads an escape sequence. A backslash that escapes nothing stands for itself, as in
// the paths of Windows.
func (r *reader) escape() {
	rest := r.in[r.at:]
	switch {
	case len(rest) > 1 && strings.IndexByte(`"\/bfnrt`, rest[1]) >= 0:
		r.out = append(r.out, rest[:2]...)
		r.at += 2
	case len(rest) > 1 && rest[1] == '\'':
		r.out = append(r.out, '\'')
		r.at += 2
		r.repairs.add(quotes)
	case len(rest) > 5 && rest[1] == 'u' && isHex(rest[2:6]):
		r.out = append(r.out, rest[:6]...)
		r.at += 6
	default:
		r.out = append(r.out, `\\`...)
		r.at++
		r.repairs.add(backslash)
	}
}

func isHex(digits []byte) bool {
	for _, c := range digits {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// beyondASCII copies a non-ASCII character.
func (r *reader) beyondASCII() {
	switch n := r.width(); {
	case n == 1:
		r.out = append(r.out, r.in[r.at])
		r.at++
	case r.in[r.at+1] == '\\': // it escapes nothing
		r.out = append(r.out, r.in[r.at], '\\', '\\')
		r.at += 2
	default:
		r.out = append(r.out, r.in[r.at:r.at+n]...)
		r.at += n
	}
}

// width returns the size in bytes of the non-ASCII character: that of UTF-8, or two where it
// may be of a set such as Big5, GBK or Shift_JIS.
func (r *reader) width() int {
	rest := r.in[r.at:]
	if !r.pairs {
		return 1
	}
	if len(rest) > 1 && rest[1]&0xc0 == 0x80 {
		if c, n := utf8.DecodeRune(rest); c != utf8.RuneError {
			return n
		}
	}
	if len(rest) > 1 && rest[0] > 0x80 && rest[1] >= 0x40 && rest[1] != 0x7f && rest[1] != 0xff {
		return 2
	}
	return 1
}

// bare reads a value, or a name, without quotes.
func (r *reader) bare(name bool) error {
	start := r.at
	for r.at < len(r.in) && !endsBare(r.in[r.at:]) && r.at-start <= maxBare {
		if r.in[r.at] >= 0x80 {
			r.at += r.width()
		} else {
			r.at++
		}
	}
	token := r.in[start:r.at]
	switch {
	case len(token) == 0 || len(token) > maxBare:
		return errSyntax
	case name:
		r.repairs.add(names)
		r.quote(token)
	default:
		r.token(token)
	}
	return nil
}

func endsBare(rest []byte) bool {
	c := rest[0]
	return ends[c] || c == '/' && len(rest) > 1 && (rest[1] == '/' || rest[1] == '*')
}

// ends are the bytes that end a value without quotes.
var ends = func() (table [256]bool) {
	for c := range ' ' + 1 {
		table[c] = true
	}
	for _, c := range []byte(`,:{}[]"'`) {
		table[c] = true
	}
	return table
}()

// token writes a value without quotes; a number that JSON does not have becomes a string.
func (r *reader) token(token []byte) {
	if c := token[0]; (c == '-' || c >= '0' && c <= '9' || c == 't' || c == 'f' || c == 'n') && json.Valid(token) {
		r.out = append(r.out, token...)
		return
	}
	if len(token) > maxWord {
		r.repairs.add(words)
		r.quote(token)
		return
	}
	switch word := strings.ToLower(strings.TrimLeft(string(token), "+-")); word {
	case "true", "false", "null":
		r.repairs.add(words)
		r.out = append(r.out, word...)
	case "nan", "nan(ind)", "nan(snan)", "infinity", "inf", "1.#inf", "1.#qnan", "1.#ind", "1.#nan", "undefined", "none", "nil":
		r.repairs.add(notANumber)
		r.out = append(r.out, "null"...)
	default:
		r.repairs.add(words)
		r.quote(token)
	}
}

// quote writes a token without quotes as a string.
func (r *reader) quote(token []byte) {
	inside := reader{in: token, pairs: r.pairs, out: append(r.out, '"'), repairs: r.repairs}
	for inside.at < len(token) {
		switch c := token[inside.at]; {
		case c >= 0x80:
			inside.beyondASCII()
		case c == '\\':
			inside.out = append(inside.out, `\\`...)
			inside.at++
		default:
			inside.out = append(inside.out, c)
			inside.at++
		}
	}
	r.out = append(inside.out, '"')
}
