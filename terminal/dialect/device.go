package dialect

import "fmt"

// maxDevice is how long a serial number may be, in bytes.
const maxDevice = 64

// ErrDevice: a serial number is none that ValidDevice takes.
var ErrDevice = fmt.Errorf(`%w: a serial number must be 1 to 64 of A-Z a-z 0-9 . _ : -, and not "." or ".."; change it at the device`, ErrMalformed)

// ValidDevice reports whether a serial number is one that we take: 1 to 64 of
// A-Z a-z 0-9 . _ : - and nothing else, but neither "." nor "..", which no path of HTTP
// can have (RFC 3986, 5.2.4). Serial numbers become parts of topics,
// where "/", "+" and "#" mean something, and of log lines and keys.
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
