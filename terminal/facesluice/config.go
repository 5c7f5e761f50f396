package facesluice

import (
	"errors"
	"time"

	"edgelens/terminal/dialect/wire"
)

// Config is how cameras of this family are set up.
type Config struct {
	// MaxImageBytes is how large an image may be, decoded.
	MaxImageBytes int64
	// Heartbeat is how often a camera is due to be heard from, OfflineAfter how
	// long it may be silent; both 0 where silence says nothing.
	Heartbeat, OfflineAfter time.Duration
}

// DefaultConfig takes images of up to 10 MiB. The document has a heartbeat
// every 30 s, cameras in the field one every 60 s; two may be missed.
func DefaultConfig() Config {
	return Config{MaxImageBytes: wire.DefaultMaxImageBytes, Heartbeat: 60 * time.Second, OfflineAfter: 150 * time.Second}
}

// Validate reports every fault at once, each with its setting's name.
func (c Config) Validate() error {
	return errors.Join(wire.CheckMaxImageBytes(c.MaxImageBytes), wire.CheckSilence(c.Heartbeat, c.OfflineAfter))
}
