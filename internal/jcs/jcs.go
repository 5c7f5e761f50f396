// Package jcs writes JSON in the one canonical form of RFC 8785 (JCS), so that different programs sign and hash the same
// bytes. Its functions are safe for use by many goroutines.
//
// Text that two readers could understand differently has no canonical form and is refused: repeated members, text that
// is not UTF-8, single surrogates, and whole numbers that a double does not hold.
package jcs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf16"

	"edgelens"
)

// maxDepth is the maximum depth of arrays and objects in each other.
const maxDepth = 100

// Canonicalize returns the canonical form of a JSON text. The error wraps ErrInvalid for what is no JSON, or has no
// canonical form; it repeats at most a number of the text.
func Canonicalize(text []byte) ([]byte, error) {
	p := parser{text: text, out: make([]byte, 0, len(text))}
	p.space()
	err := p.value(0)
	if err == nil && p.at < len(text) {
		err = p.problem("there is more after the value")
	}
	if err != nil {
		return nil, fmt.Errorf("write canonical JSON: %w: %w", edgelens.ErrInvalid, err)
	}
	return p.out, nil
}

// Marshal returns the canonical form of a value.
func Marshal(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("write canonical JSON: %w: %w", edgelens.ErrInvalid, err)
	}
	return Canonicalize(text)
}

// parser reads text, and appends its canonical form to out.
type parser struct {
	text []byte
	at   int
	out  []byte
}

func (p *parser) problem(what string) error { return fmt.Errorf("%s at byte %d", what, p.at) }

// next returns the next byte; 0 at the end, which is no part of JSON.
func (p *parser) next() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// space skips white space.
func (p *parser) space() {
	for p.at < len(p.text) && bytes.IndexByte([]byte(" \t\r\n"), p.text[p.at]) >= 0 {
		p.at++
	}
}

// value reads a value and the white space after it.
func (p *parser) value(depth int) (err error) {
	if depth > maxDepth {
		return p.problem("arrays and objects are nested too deeply")
	}
	switch c := p.next(); {
	case c == '{':
		err = p.object(depth)
	case c == '[':
		err = p.array(depth)
	case c == '"':
		var text []byte
		if text, err = p.string(); err == nil {
			p.out = appendString(p.out, text)
		}
	case c == '-' || '0' <= c && c <= '9':
		err = p.number()
	default:
		err = p.word()
	}
	p.space()
	return err
}

func (p *parser) word() error {
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(p.text[p.at:], []byte(word)) {
			p.at += len(word)
			p.out = append(p.out, word...)
			return nil
		}
	}
	return p.problem("there is no JSON value")
}

func (p *parser) array(depth int) error {
	p.out = append(p.out, '[')
	return p.elements(']', func(int) error { return p.value(depth + 1) })
}

// elements reads what is between brackets, separated by commas, and writes the commas and the closing one.
func (p *parser) elements(closing byte, element func(n int) error) error {
	p.at++
	p.space()
	for n := 0; ; n++ {
		if n == 0 && p.next() == closing {
			break
		}
		if n > 0 {
			p.out = append(p.out, ',')
		}
		if err := element(n); err != nil {
			return err
		}
		if p.next() == closing {
			break
		}
		if p.next() != ',' {
			return p.problem("a comma or a closing bracket is missing")
		}
		p.at++
		p.space()
	}
	p.at++
	p.out = append(p.out, closing)
	return nil
}

// canonicalMember is a member of an object in canonical form.
type canonicalMember struct {
	name  []uint16 // by which members are sorted: in UTF-16
	value []byte   // with the name
}

func (p *parser) object(depth int) error {
	outer := p.out
	var members []canonicalMember
	p.out = nil
	err := p.elements('}', func(int) error {
		p.out = nil
		if p.next() != '"' {
			return p.problem("the name of a member is missing")
		}
		name, err := p.string()
		if err != nil {
			return err
		}
		p.space()
		if p.next() != ':' {
			return p.problem("a colon is missing")
		}
		p.at++
		p.space()
		p.out = append(appendString(nil, name), ':')
		if err := p.value(depth + 1); err != nil {
			return err
		}
		members = append(members, canonicalMember{name: utf16.Encode([]rune(string(name))), value: p.out})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(members, func(a, b canonicalMember) int { return slices.Compare(a.name, b.name) })
	p.out = append(outer, '{')
	for i, m := range members {
		if i > 0 {
			if slices.Equal(m.name, members[i-1].name) {
				return p.problem("a member is repeated in the object that ends")
			}
			p.out = append(p.out, ',')
		}
		p.out = append(p.out, m.value...)
	}
	p.out = append(p.out, '}')
	return nil
}
