package facesluice

import (
	"errors"
	"time"

	"edgelens/terminal/dialect/wire"
)

// Config is the configuration of cameras of this family.
type Config struct {
	// MaxImageBytes is the maximum size of a decoded image.
	MaxImageBytes int64
	// Heartbeat is the interval of a camera's heartbeats, OfflineAfter the silence after
	// which it counts as offline; both 0 where silence proves nothing.
	Heartbeat, OfflineAfter time.Duration
}

// DefaultConfig accepts images of up to 10 MiB. The document has a heartbeat every 30 s,
// real cameras send one every 60 s; two may be missed.
func DefaultConfig() Config {
	return Config{MaxImageBytes: wire.DefaultMaxImageBytes, Heartbeat: 60 * time.Second, OfflineAfter: 150 * time.Second}
}

// Validate reports every invalid setting at once, each with its name.
func (c Config) Validate() error {
	return errors.Join(wire.CheckMaxImageBytes(c.MaxImageBytes), wire.CheckSilence(c.Heartbeat, c.OfflineAfter))
}
