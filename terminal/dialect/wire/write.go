package wire

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Marshal returns v in JSON, with "<", ">" and "&" as they are: firmware does
// not always know the escapes. v must be made of what JSON has.
func Marshal(v any) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic("wire: a message cannot be written: " + err.Error()) // a fault in our own types
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// maxDigits is what fits any integer that a device may read it into.
const maxDigits = 18

// WholeNumber returns text as a JSON number where it consists of digits alone,
// without the zeros in front of it; nil where it does not.
func WholeNumber(text string) json.RawMessage {
	if text == "" || len(text) > maxDigits || strings.Trim(text, "0123456789") != "" {
		return nil
	}
	if text = strings.TrimLeft(text, "0"); text == "" {
		text = "0"
	}
	return json.RawMessage(text)
}
