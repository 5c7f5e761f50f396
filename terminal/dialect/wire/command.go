package wire

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"edgelens/terminal/dialect"
)

// MaxCommand is the maximum size of a command in bytes.
const MaxCommand = 1 << 20

// Command parses a command for a device, which must be an object. Errors:
// dialect.ErrNoSuchCommand, also for a device that dialect.ValidDevice refuses.
func Command(device string, body json.RawMessage) (Object, error) {
	switch {
	case !dialect.ValidDevice(device):
		return Object{}, fmt.Errorf("%w: a serial number has 1 to 64 of A-Z a-z 0-9 . _ : -", dialect.ErrNoSuchCommand)
	case len(body) > MaxCommand:
		return Object{}, fmt.Errorf("%w: it has %d bytes; at most %d are accepted", dialect.ErrNoSuchCommand, len(body), MaxCommand)
	case !utf8.Valid(body):
		return Object{}, fmt.Errorf("%w: it is not UTF-8", dialect.ErrNoSuchCommand)
	}
	object, err := Parse(body)
	if err != nil {
		return Object{}, fmt.Errorf("%w: send one JSON object, nested at most %d deep", dialect.ErrNoSuchCommand, maxDepth)
	}
	return object, nil
}
