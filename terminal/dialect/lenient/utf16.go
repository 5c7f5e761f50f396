package lenient

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// fromUTF16 converts a text from UTF-16 (RFC 2781) to UTF-8, recognized by its byte order
// mark or its first character; nil for any other.
func fromUTF16(text []byte) []byte {
	var order binary.ByteOrder
	switch {
	case len(text) < 4:
		return nil
	case text[0] == 0xff && text[1] == 0xfe:
		order, text = binary.LittleEndian, text[2:]
	case text[0] == 0xfe && text[1] == 0xff:
		order, text = binary.BigEndian, text[2:]
	case text[1] == 0 && beginsJSON(text[0]):
		order = binary.LittleEndian
	case text[0] == 0 && beginsJSON(text[1]):
		order = binary.BigEndian
	default:
		return nil
	}
	out := make([]byte, 0, len(text)/2)
	for ; len(text) > 1; text = text[2:] {
		r := rune(order.Uint16(text))
		if utf16.IsSurrogate(r) && len(text) > 3 {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(text[2:]))); pair != utf8.RuneError {
				r, text = pair, text[2:]
			}
		}
		out = utf8.AppendRune(out, r) // half a pair is U+FFFD
	}
	return out
}

func beginsJSON(c byte) bool { return strings.IndexByte("{[\"' \t\r\n", c) >= 0 }
