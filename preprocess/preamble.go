package preprocess

import "bytes"

// Bytes that may precede an image: cameras and gateways leave them there when they
// cut an image out of a stream or of a multipart body.
const (
	maxPreamble     = 8 << 10
	maxPreambleRuns = 4 // of white space and of header lines
)

// skipPreamble returns b from the first byte of the image on: without white space
// and zero bytes, a byte order mark, and the header lines of a part ("--frame",
// "Content-Type: image/jpeg", an empty line). Other bytes stay.
func skipPreamble(b []byte) []byte {
	rest := b
	for range maxPreambleRuns {
		before := len(rest)
		rest = bytes.TrimPrefix(rest, []byte("\xEF\xBB\xBF"))
		for len(rest) > 0 && isBlank(rest[0]) {
			rest = rest[1:]
		}
		rest = skipHeaderLines(rest)
		if len(b)-len(rest) > maxPreamble {
			return b
		}
		if len(rest) == before {
			break
		}
	}
	return rest
}

func isBlank(c byte) bool { return c == 0 || c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// skipHeaderLines returns the bytes after the empty line that ends a block of header
// lines, or b if there is none.
func skipHeaderLines(b []byte) []byte {
	rest := b
	for first := true; len(b)-len(rest) <= maxPreamble; first = false {
		end := bytes.IndexByte(rest[:min(len(rest), maxPreamble)], '\n')
		if end < 0 {
			return b
		}
		line := bytes.TrimSuffix(rest[:end], []byte("\r"))
		rest = rest[end+1:]
		switch {
		case len(line) == 0 && !first:
			return rest
		case !isHeaderLine(line):
			return b
		}
	}
	return b
}

// isHeaderLine accepts a boundary ("--frame"), a status line and a header field
// (RFC 9112, 4 and 5; RFC 2046, 5.1.1).
func isHeaderLine(line []byte) bool {
	for _, c := range line {
		if c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	if bytes.HasPrefix(line, []byte("--")) || bytes.HasPrefix(line, []byte("HTTP/")) {
		return true
	}
	name, _, found := bytes.Cut(line, []byte(":"))
	if !found || len(name) == 0 {
		return false
	}
	for _, c := range name {
		if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
