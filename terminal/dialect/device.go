package dialect

import "fmt"

// maxDevice is the maximum length of a serial number in bytes.
const maxDevice = 64

// ErrDevice: the serial number is invalid, see ValidDevice.
var ErrDevice = fmt.Errorf(`%w: a serial number must be 1 to 64 of A-Z a-z 0-9 . _ : -, and not "." or ".."; change it at the device`, ErrMalformed)

// ValidDevice reports whether a serial number is accepted: 1 to 64 of
// A-Z a-z 0-9 . _ : - and nothing else, but neither "." nor "..", which cannot be in a path
// of HTTP (RFC 3986, 5.2.4). Serial numbers become parts of topics, where "/", "+" and "#"
// have a meaning, and of log lines and keys.
func ValidDevice(serial string) bool {
	if serial == "" || len(serial) > maxDevice || serial == "." || serial == ".." {
		return false
	}
	for i := range len(serial) {
		switch c := serial[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}
