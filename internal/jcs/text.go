package jcs

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string and returns its text.
func (p *parser) string() ([]byte, error) {
	p.at++
	var text []byte
	for {
		start := p.at
		for p.at < len(p.text) && p.text[p.at] != '"' && p.text[p.at] != '\\' && p.text[p.at] >= ' ' {
			p.at++
		}
		text = append(text, p.text[start:p.at]...)
		switch p.next() {
		case '"':
			if !utf8.Valid(text) {
				return nil, p.problem("there is text that is not UTF-8")
			}
			p.at++
			return text, nil
		case '\\':
			r, err := p.escape()
			if err != nil {
				return nil, err
			}
			text = utf8.AppendRune(text, r)
		default:
			return nil, p.problem("a string does not end, or has a control character")
		}
	}
}

// escapes are the characters of the short escapes.
var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape reads an escape, or the two of a surrogate pair.
func (p *parser) escape() (rune, error) {
	p.at++
	c := p.next()
	if r, ok := escapes[c]; ok {
		p.at++
		return r, nil
	}
	r, err := p.unit(c)
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if p.next() == '\\' {
		p.at++
		low, err := p.unit(p.next())
		if pair := utf16.DecodeRune(r, low); err == nil && pair != utf8.RuneError {
			return pair, nil
		}
	}
	return 0, p.problem("there is a single surrogate")
}

// unit reads the rest of \uXXXX.
func (p *parser) unit(kind byte) (rune, error) {
	if kind != 'u' || p.at+5 > len(p.text) {
		return 0, p.problem("there is an unknown escape")
	}
	code, err := hex.DecodeString(string(p.text[p.at+1 : p.at+5]))
	if err != nil {
		return 0, p.problem("there is an unknown escape")
	}
	p.at += 5
	return rune(code[0])<<8 | rune(code[1]), nil
}

// appendString writes a string as ECMAScript's JSON.stringify does (RFC 8785, 3.2.2.2).
func appendString(out, text []byte) []byte {
	const short = "btn\x00fr" // from \b, 8, on; \v has none
	out = append(out, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c >= '\b' && c <= '\r' && c != '\v':
			out = append(out, '\\', short[c-'\b'])
		case c < ' ':
			out = fmt.Appendf(out, `\u%04x`, c)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// number reads a number, and writes it as ECMAScript does (RFC 8785, 3.2.2.3). Readers agree on the nearest double of a
// decimal fraction, but not on a long whole number: some hold all its digits.
func (p *parser) number() error {
	start := p.at
	if !p.grammar() {
		return p.problem("a number is malformed")
	}
	text := string(p.text[start:p.at])
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("the number %.40s is out of range", text)
	}
	written := AppendNumber(nil, value)
	if value != 0 && string(written) != text && !strings.ContainsAny(text, ".eE") {
		return fmt.Errorf("the whole number %.40s is not held by a double, so readers would differ; it must be a string", text)
	}
	p.out = append(p.out, written...)
	return nil
}

// grammar skips a number of JSON, and reports whether it is well formed.
func (p *parser) grammar() bool {
	digits := func() (n int) {
		for ; p.next() >= '0' && p.next() <= '9'; p.at++ {
			n++
		}
		return n
	}
	if p.next() == '-' {
		p.at++
	}
	if p.next() == '0' {
		p.at++
	} else if digits() == 0 {
		return false
	}
	if p.next() == '.' {
		p.at++
		if digits() == 0 {
			return false
		}
	}
	if c := p.next(); c == 'e' || c == 'E' {
		p.at++
		if c := p.next(); c == '+' || c == '-' {
			p.at++
		}
		return digits() > 0
	}
	return true
}

// AppendNumber writes a finite double as ECMAScript's Number::toString does.
func AppendNumber(out []byte, value float64) []byte {
	if value == 0 { // -0, too
		return append(out, '0')
	}
	if size := math.Abs(value); size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(out, value, 'f', -1, 64)
	}
	out = strconv.AppendFloat(out, value, 'e', -1, 64)
	// e-09 is e-9 there
	if n := len(out); n >= 4 && out[n-4] == 'e' && out[n-2] == '0' {
		out[n-2] = out[n-1]
		out = out[:n-1]
	}
	return out
}
