package wire

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"edgelens/terminal/dialect"
)

// MaxCommand is how large a command may be, in bytes.
const MaxCommand = 1 << 20

// Command returns a command for a device as the object that it must be. Errors:
// dialect.ErrNoSuchCommand, also for a device that dialect.ValidDevice refuses.
func Command(device string, body json.RawMessage) (Object, error) {
	switch {
	case !dialect.ValidDevice(device):
		return Object{}, fmt.Errorf("%w: a serial number has 1 to 64 of A-Z a-z 0-9 . _ : -", dialect.ErrNoSuchCommand)
	case len(body) > MaxCommand:
		return Object{}, fmt.Errorf("%w: it has %d bytes; at most %d are taken", dialect.ErrNoSuchCommand, len(body), MaxCommand)
	case !utf8.Valid(body):
		return Object{}, fmt.Errorf("%w: it is not UTF-8", dialect.ErrNoSuchCommand)
	}
	object, err := Parse(body)
	if err != nil {
		return Object{}, fmt.Errorf("%w: send one JSON object, no more than %d deep", dialect.ErrNoSuchCommand, maxDepth)
	}
	return object, nil
}
