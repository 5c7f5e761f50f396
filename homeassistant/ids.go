package homeassistant

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// The kinds of devices, as parts of their ids: a sensor may have the name of a terminal.
const (
	kindNode   = "node"
	kindDevice = "device"
	kindSensor = "sensor"
	kindState  = "state"
)

// maxEncoded is the maximum length of an encoded name.
const maxEncoded = 80

// idPrefix begins the ids of all our devices.
const idPrefix = "edgelens-"

// idOf returns the id of a device: letters, digits, "-" and "_". Different kinds and names have different ids.
func idOf(kind, name string) string { return idPrefix + kind + "-" + encoded(name) }

// encoded returns a name in letters, digits, "-" and "_": other bytes, and "_" itself, are "_" and two hexadecimal
// digits. A long name ends with "_-" and its hash, which no other form does.
func encoded(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02X", c)
		}
	}
	if b.Len() <= maxEncoded {
		return b.String()
	}
	hash := sha256.Sum256([]byte(name))
	return strings.TrimRight(b.String()[:32], "_") + "_-" + hex.EncodeToString(hash[:20])
}
