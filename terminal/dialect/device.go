package dialect

// maxDevice is how long a serial number may be, in bytes.
const maxDevice = 64

// ValidDevice reports whether a serial number is one that we take: 1 to 64 of
// A-Z a-z 0-9 . _ : - and nothing else. Serial numbers become parts of topics,
// where "/", "+" and "#" mean something, and of log lines and keys.
func ValidDevice(serial string) bool {
	if serial == "" || len(serial) > maxDevice {
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
