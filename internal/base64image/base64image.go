// Package base64image decodes images that clients and terminals send as base64 text (RFC 4648), with or without a data
// URI (RFC 2397) around it: of the standard or the URL alphabet or both, padded or not, with white space anywhere. It
// takes time linear in the length of the text, keeps no state and is safe for use by many goroutines.
package base64image

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

// Errors of Decode; the sources word them for their clients.
var (
	// ErrEmpty: there is no text, or nothing behind the data URI's comma.
	ErrEmpty = errors.New("the base64 is empty")
	// ErrDataURI: a data URI that is not base64, or has no comma.
	ErrDataURI = errors.New("the data URI is not base64")
	// ErrAddress: the address of an image in place of the image.
	ErrAddress = errors.New("it is an address, not base64")
	// ErrCutOff: one letter is left over, which cannot encode a byte.
	ErrCutOff = errors.New("the base64 is cut off")
	// ErrLostPlus: the text has some blanks and no +, though it is long enough to have some. Each + was sent in a form
	// or a query without being escaped.
	ErrLostPlus = errors.New("the base64 has blanks where + should be")
)

// SyntaxError is a byte outside the base64 alphabet.
type SyntaxError struct {
	Byte byte
	// Offset is its index in the text.
	Offset int
}

// Error has the byte and its index.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("the byte %q at index %d is not base64", e.Byte, e.Offset)
}

// TooLargeError is an image of more bytes than allowed.
type TooLargeError struct{ Size, Limit int64 }

// Error has both numbers.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the image has %d bytes; at most %d are allowed", e.Size, e.Limit)
}

const (
	// maxHeader is the maximum length of a data URI before its comma.
	maxHeader = 256
	// maxScheme is the maximum length of the scheme of a URL, with its colon.
	maxScheme = 16
	// longEnough is a number of letters that no image has without a plus: the chance is (63/64)^1024, one in ten
	// million.
	longEnough = 1024
)

// What a byte means in base64; less than 64 is a value.
const (
	space   = 0x40
	padding = 0x41
	percent = 0x42
	invalid = 0xff
)

var values = func() (table [256]byte) {
	for i := range table {
		table[i] = invalid
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for i := range len(letters) {
		table[letters[i]] = byte(i)
	}
	table['+'], table['-'], table['/'], table['_'] = 62, 62, 63, 63
	for _, b := range whiteSpace {
		table[b] = space
	}
	table['='], table['%'] = padding, percent
	return table
}()

// Decode appends the image in text to dst, at most limit bytes of it. dst may be text[:0]: then the image overwrites
// the text, and nothing is allocated. Errors: those of this package, none of which contains the text; dst is returned
// unchanged.
func Decode(dst, text []byte, limit int64) ([]byte, error) {
	data, err := payload(trim(text))
	if err != nil {
		return dst, err
	}
	if dst == nil {
		dst = make([]byte, 0, min(int64(len(data)/4*3+3), limit+3))
	}
	if isAddress(data) {
		return dst, ErrAddress
	}
	d := decoder{out: dst, limit: limit}
	if _, err := d.decode(data, true); err != nil {
		return dst, inText(err, len(text)-len(data))
	}
	if err := d.end(); err != nil {
		return dst, err
	}
	return d.out, nil
}

// inText returns the error of a part of a text that begins at that index, for the whole text.
func inText(err error, at int) error {
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		syntax.Offset += at
	}
	return err
}

const (
	byteOrderMark = "\xef\xbb\xbf"
	whiteSpace    = " \t\r\n\f\v"
)

// trim returns a text without the byte order mark and the white space in front.
func trim(text []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(text, []byte(byteOrderMark)), whiteSpace)
}

// payload returns the base64 of a trimmed text, which may be a data URI. Many clients omit the scheme
// ("image/jpeg;base64,..."), or more.
func payload(text []byte) ([]byte, error) {
	isURI := len(text) >= 5 && bytes.EqualFold(text[:5], []byte("data:"))
	comma := bytes.IndexByte(text[:min(len(text), maxHeader)], ',')
	if comma < 0 {
		if isURI {
			return nil, ErrDataURI
		}
		return text, nil
	}
	media, parameters, found := bytes.Cut(text[:comma], []byte(";"))
	if !found && !isURI {
		parameters = media // "base64,..."
	}
	for parameter := range bytes.SplitSeq(parameters, []byte(";")) {
		if bytes.EqualFold(bytes.TrimSpace(parameter), []byte("base64")) {
			return text[comma+1:], nil
		}
	}
	if isURI {
		return nil, ErrDataURI
	}
	return text, nil
}

// isAddress reports whether the text begins like a URL.
func isAddress(text []byte) bool {
	scheme, rest, found := bytes.Cut(text[:min(len(text), maxScheme)], []byte(":"))
	return found && (bytes.HasPrefix(rest, []byte("//")) || bytes.EqualFold(scheme, []byte("blob")) || bytes.EqualFold(scheme, []byte("file")))
}

// decoder is the state of one Decode.
type decoder struct {
	out   []byte
	limit int64 // number of bytes that must not be exceeded

	bits    uint32 // of the letters of an incomplete group of four
	waiting int
	letters int64 // in all

	plus, ended bool
	// blank is true from a blank behind a letter on, until the next letter or a
	// line break; broken, from a line break on until the next letter.
	blank, broken bool
	// lastBlank is the number of letters before the last blank, between the number before the first one; uneven is true
	// once the distances differ, which they don't where lines were joined.
	lastBlank, between int64
	uneven             bool
}

// beforeLetter processes the blanks before a letter.
func (d *decoder) beforeLetter() {
	if d.blank {
		distance := d.letters - d.lastBlank
		if d.between == 0 {
			d.between = distance
		}
		d.uneven = d.uneven || distance != d.between
		d.lastBlank = d.letters
	}
	d.blank, d.broken = false, false
}

// block is how many letters the standard library decodes at a time, three times as fast.
const block = 1024

// fits reports whether the letters so far are not too many, so that more are decoded and not only counted.
func (d *decoder) fits() bool { return d.letters/4*3 <= d.limit }

// decode decodes a block at a time where there are only letters of the standard alphabet, four letters where they are
// together, else one. It returns how much of text it has decoded: without an error that is all of it but an escape that
// may go on in a text that follows, if this one is not the last.
func (d *decoder) decode(text []byte, last bool) (int, error) {
	i, next := 0, 0
	for i < len(text) {
		if i >= next && d.waiting == 0 && !d.ended && i+block <= len(text) && d.fits() {
			if d.block(text[i : i+block]) {
				i += block
				continue
			}
			next = i + block // once per block, to keep the time linear
		}
		if d.waiting == 0 && !d.ended && i+4 <= len(text) {
			a, b, c, e := values[text[i]], values[text[i+1]], values[text[i+2]], values[text[i+3]]
			if a|b|c|e < 64 {
				if d.fits() {
					d.out = append(d.out, a<<2|b>>4, b<<4|c>>2, c<<6|e)
				}
				d.plus = d.plus || a == 62 || b == 62 || c == 62 || e == 62
				d.beforeLetter()
				d.letters += 4
				i += 4
				continue
			}
		}
		if !last && values[text[i]] == percent && i+2 >= len(text) {
			break
		}
		n, err := d.one(text, i)
		if err != nil {
			return i, err
		}
		i += n
	}
	return i, nil
}

// block decodes one block, or returns false where it has other characters.
func (d *decoder) block(text []byte) bool {
	var out [block / 4 * 3]byte // and not d.out, which may be text: half a block must not overwrite it
	// Line breaks, which the standard library skips, shorten the output.
	if n, err := base64.RawStdEncoding.Decode(out[:], text); err != nil || n != len(out) {
		return false
	}
	d.plus = d.plus || bytes.IndexByte(text, '+') >= 0
	d.out = append(d.out, out[:]...)
	d.beforeLetter()
	d.letters += block
	return true
}

// one decodes the byte at i, or the escaped one (RFC 3986) that starts there, and returns the length of its text.
func (d *decoder) one(text []byte, i int) (n int, err error) {
	b, n := text[i], 1
	if values[b] == percent && i+2 < len(text) {
		if high, low := hex(text[i+1]), hex(text[i+2]); high < 16 && low < 16 {
			b, n = high<<4|low, 3
		}
	}
	switch v := values[b]; {
	case v < 64 && !d.ended:
		d.add(v)
	case v == space:
		d.broken = d.broken || b != ' '
		d.blank = !d.broken && d.letters > 0
	case v == padding:
		d.ended = true
	default:
		return 0, &SyntaxError{Byte: text[i], Offset: i}
	}
	return n, nil
}

func (d *decoder) add(v byte) {
	d.beforeLetter()
	d.plus = d.plus || v == 62
	d.bits = d.bits<<6 | uint32(v)
	if d.waiting++; d.waiting == 4 {
		if d.fits() {
			d.out = append(d.out, byte(d.bits>>16), byte(d.bits>>8), byte(d.bits))
		}
		d.bits, d.waiting = 0, 0
	}
	d.letters++
}

// end decodes the remaining letters and checks the whole.
func (d *decoder) end() error {
	switch {
	case d.letters == 0:
		return ErrEmpty
	case d.uneven && !d.plus && d.letters >= longEnough:
		return ErrLostPlus
	case d.waiting == 1:
		return ErrCutOff
	}
	if size := d.letters * 6 / 8; size > d.limit {
		return &TooLargeError{Size: size, Limit: d.limit}
	}
	switch d.waiting {
	case 2:
		d.out = append(d.out, byte(d.bits>>4))
	case 3:
		d.out = append(d.out, byte(d.bits>>10), byte(d.bits>>2))
	}
	return nil
}

func hex(b byte) byte {
	switch {
	case '0' <= b && b <= '9':
		return b - '0'
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		return b | 0x20 - 'a' + 10
	default:
		return invalid
	}
}
