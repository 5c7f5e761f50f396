package wire

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"edgelens/terminal/dialect/lenient"
)

// unquote returns the text of a JSON string.
func unquote(quoted []byte) string {
	inside := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) {
		return string(inside)
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return "" // never: it is valid
	}
	return text
}

// bytes returns the text of a JSON string, with the original bytes where it is not UTF-8. It
// may share memory with the message.
func (v Value) bytes() []byte { return lenient.Unquote(v) }
