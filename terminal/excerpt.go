package terminal

import (
	"bytes"
	"fmt"
)

const (
	// excerpted is the number of bytes of a message that an excerpt is made of, and
	// maxExcerpt the maximum length of the excerpt.
	excerpted  = 400
	maxExcerpt = 300
	// maxRun is the maximum number of consecutive letters and digits that are shown.
	maxRun = 32
)

// excerpt shows how a message begins, for diagnosis: punctuation and names of members are
// kept, letters of other words become "x", digits "0" and non-ASCII ".", since they may be
// personal data, and long runs are replaced by their length.
func excerpt(payload []byte) string {
	text := payload[:min(len(payload), excerpted)]
	var out []byte
	at := 0
	for at < len(text) && len(out) < maxExcerpt {
		n := run(text[at:])
		if n == 0 {
			out = appendSign(out, text[at])
			at++
			continue
		}
		out = appendRun(out, text[at:at+n], isName(text, at, at+n))
		at += n
	}
	if at < len(payload) {
		out = append(out, "..."...)
	}
	return string(out)
}

// run returns the number of letters and digits that text begins with.
func run(text []byte) int {
	for i, c := range text {
		if !isWord(c) {
			return i
		}
	}
	return len(text)
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80
}

// isName reports whether a run is the name of a member: with quotes of the same kind
// on both sides, or none, a colon behind it and a brace or a comma in front.
func isName(text []byte, from, to int) bool {
	before, behind := text[:from], text[to:]
	if len(before) > 0 && len(behind) > 0 && (before[len(before)-1] == '"' || before[len(before)-1] == '\'') {
		if behind[0] != before[len(before)-1] {
			return false
		}
		before, behind = before[:len(before)-1], behind[1:]
	}
	before, behind = bytes.TrimRight(before, " \t\r\n"), bytes.TrimLeft(behind, " \t\r\n")
	return len(before) > 0 && (before[len(before)-1] == '{' || before[len(before)-1] == ',') && len(behind) > 0 && behind[0] == ':'
}

// appendRun shows a run of letters and digits.
func appendRun(out, run []byte, name bool) []byte {
	switch {
	case len(run) > maxRun:
		return fmt.Appendf(out, "<%d bytes>", len(run))
	case name && isASCII(run):
		return append(out, run...)
	}
	for _, c := range run {
		switch {
		case c >= '0' && c <= '9':
			out = append(out, '0')
		case c >= 0x80:
			out = append(out, '.')
		default:
			out = append(out, 'x')
		}
	}
	return out
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func appendSign(out []byte, c byte) []byte {
	if c < ' ' || c == 0x7f {
		return fmt.Appendf(out, "\\x%02x", c)
	}
	return append(out, c)
}
