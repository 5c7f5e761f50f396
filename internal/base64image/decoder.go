package base64image

import "bytes"

// headBytes is how much of a trimmed text shows where its base64 begins, and that it is no address.
const headBytes = maxHeader + maxScheme

// Decoder decodes a text that arrives in pieces as Decode does the whole, with the same errors, and keeps no more than
// some hundred bytes of it. It belongs to one goroutine.
type Decoder struct {
	state decoder
	// head is the begin of the text, until there is enough of it.
	head []byte
	// unmarked is true once a byte order mark is removed; begun, once head is decoded.
	unmarked, begun bool
	// escape is an escape (RFC 3986) whose end has not arrived.
	escape []byte
	// passed is how much of the text was trimmed or decoded.
	passed int
	err    error
}

// NewDecoder returns a Decoder of an image of at most limit bytes.
func NewDecoder(limit int64) *Decoder { return &Decoder{state: decoder{limit: limit}} }

// Append appends to dst what the next piece of the text decodes to: no more bytes than the piece and 300 more. ok is false once the
// text is certain to be no image, or one too large; from then on dst is of no use, and End returns the error.
func (d *Decoder) Append(dst, piece []byte) (_ []byte, ok bool) {
	for !d.begun && d.err == nil && len(piece) > 0 {
		n := min(len(piece), headBytes)
		d.head, piece = append(d.head, piece[:n]...), piece[n:]
		if d.trim(false); len(d.head) >= headBytes {
			dst = d.begin(dst, false)
		}
	}
	if d.begun && d.err == nil {
		dst = d.add(dst, piece, false)
	}
	return dst, d.err == nil && d.state.fits()
}

// End decodes what is left at the end of the text, and returns the error of the whole.
func (d *Decoder) End(dst []byte) ([]byte, error) {
	switch {
	case d.err != nil:
	case d.begun:
		dst = d.add(dst, nil, true)
	default:
		d.trim(true)
		dst = d.begin(dst, true)
	}
	if d.err != nil {
		return dst, d.err
	}
	d.state.out = dst
	err := d.state.end()
	return d.state.out, err
}

// trim removes a byte order mark and white space in front of the text, of which head is the last piece or not.
func (d *Decoder) trim(last bool) {
	text := d.head
	if !d.unmarked {
		if len(text) < len(byteOrderMark) && !last {
			return
		}
		d.unmarked = true
		text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	}
	text = bytes.TrimLeft(text, whiteSpace)
	d.passed += len(d.head) - len(text)
	d.head = append(d.head[:0], text...)
}

// begin finds the base64 in the head and decodes it.
func (d *Decoder) begin(dst []byte, last bool) []byte {
	d.begun = true
	data, err := payload(d.head)
	if err == nil && isAddress(data) {
		err = ErrAddress
	}
	if err != nil {
		d.err = err
		return dst
	}
	d.passed += len(d.head) - len(data)
	d.head = nil
	return d.add(dst, data, last)
}

// add decodes text, behind an escape that began before it.
func (d *Decoder) add(dst, text []byte, last bool) []byte {
	if begun := len(d.escape); begun > 0 {
		joined := append(d.escape, text[:min(len(text), 2)]...)
		d.escape = nil
		var n int
		if dst, n = d.decode(dst, joined, last); d.err != nil {
			return dst
		}
		if n == 0 { // text was one byte, or none
			d.escape = joined
			return dst
		}
		text = text[n-begun:]
	}
	dst, n := d.decode(dst, text, last)
	if d.err == nil {
		d.escape = append(d.escape, text[n:]...)
	}
	return dst
}

// decode decodes text as decoder.decode does.
func (d *Decoder) decode(dst, text []byte, last bool) (_ []byte, n int) {
	d.state.out = dst
	n, err := d.state.decode(text, last)
	dst, d.state.out = d.state.out, nil
	if err != nil {
		d.err = inText(err, d.passed)
	}
	d.passed += n
	return dst, n
}
