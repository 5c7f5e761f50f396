package api

import (
	"bytes"
	"fmt"
	"io"

	"edgelens"
)

// maxPartHeader is the maximum length of the headers of a form's part in bytes. The standard library reads up to 10 MB of
// them, which takes several times that.
const maxPartHeader = 16 << 10

// partHeaders passes a form (RFC 2046, 5.1) on, and ends it where the headers of a part are too long.
type partHeaders struct {
	io.Reader
	// boundary is the line before each part.
	boundary []byte

	// begin is the beginning of the current line, of length bytes.
	begin  []byte
	length int
	// inHeaders is true between a boundary and the next empty line, which have header bytes so far.
	inHeaders bool
	header    int
}

func newPartHeaders(body io.Reader, boundary string) *partHeaders {
	return &partHeaders{Reader: body, boundary: []byte("--" + boundary)}
}

// Read implements io.Reader.
func (p *partHeaders) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if !p.look(b[:n]) {
		return 0, fmt.Errorf("%w: the headers of a part of the form have more than %d bytes; shorten the names of the field and the file", edgelens.ErrInvalid, maxPartHeader)
	}
	return n, err
}

// look reads the next bytes of the form, and reports whether the headers are short enough so far.
func (p *partHeaders) look(data []byte) bool {
	for len(data) > 0 {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		data = rest
		if room := p.lineLimit() - len(p.begin); room > 0 {
			p.begin = append(p.begin, line[:min(room, len(line))]...)
		}
		p.length += len(line)
		if p.inHeaders {
			if p.header += len(line) + 1; p.header > maxPartHeader {
				return false
			}
		}
		if whole {
			p.endLine()
		}
	}
	return true
}

// lineLimit is how much of a line is enough to recognize it: a boundary may be followed by some white space.
func (p *partHeaders) lineLimit() int { return len(p.boundary) + 16 }

// endLine processes the line that has just ended.
func (p *partHeaders) endLine() {
	line := bytes.TrimRight(p.begin, " \t\r")
	switch {
	case p.length > p.lineLimit():
	case p.inHeaders && len(line) == 0:
		p.inHeaders = false
	case !p.inHeaders && bytes.Equal(line, p.boundary):
		p.inHeaders, p.header = true, 0
	}
	p.begin, p.length = p.begin[:0], 0
}
