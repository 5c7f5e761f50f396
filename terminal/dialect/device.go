package dialect

import (
	"fmt"

	"edgelens"
)

// ErrDevice: the serial number is invalid, see ValidDevice.
var ErrDevice = fmt.Errorf(`%w: a serial number must be 1 to 64 of A-Z a-z 0-9 . _ : -, and not "." or ".."; change it at the device`, ErrMalformed)

// ValidDevice reports whether a serial number is accepted, which is the id of its device.
func ValidDevice(serial string) bool { return edgelens.ValidDeviceID(serial) }
