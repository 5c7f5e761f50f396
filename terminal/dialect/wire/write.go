package wire

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Marshal returns v in JSON, with "<", ">" and "&" unescaped: not all firmware knows the
// escapes. v must be representable in JSON.
func Marshal(v any) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic("wire: a message cannot be written: " + err.Error()) // an error in our own types
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// maxDigits is the number of digits that fits any integer type of a device.
const maxDigits = 18

// WholeNumber returns text as a JSON number where it consists of digits alone, without
// leading zeros; nil where it does not.
func WholeNumber(text string) json.RawMessage {
	if text == "" || len(text) > maxDigits || strings.Trim(text, "0123456789") != "" {
		return nil
	}
	if text = strings.TrimLeft(text, "0"); text == "" {
		text = "0"
	}
	return json.RawMessage(text)
}
