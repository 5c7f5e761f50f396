package fungxi

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"edgelens/internal/clip"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// The ways of acknowledging a record.
const (
	// AckNone sends nothing.
	AckNone = "none"
	// AckEcho sends {"cmd":"verifiedRecordD","num":...,"time":...}: the command with D
	// (down) for U (up), as heartD answers heartU, and the identifying members of the
	// record as received.
	AckEcho = "echo"
)

// Config is the configuration of terminals of this family.
type Config struct {
	// Ack is AckNone or AckEcho.
	Ack string
	// MaxImageBytes is the maximum size of a decoded image.
	MaxImageBytes int64
	// Heartbeat is the interval of a terminal's heartbeats, OfflineAfter the silence after
	// which it counts as offline; both 0 where silence proves nothing.
	Heartbeat, OfflineAfter time.Duration
	// Devices are the only terminals to subscribe to, for a broker that is shared with other
	// clients: their topics have one level, so that the filter for all of them is "+".
	// Empty for all.
	Devices []string
}

// DefaultConfig acknowledges nothing and accepts images of up to 10 MiB. The interval of
// heartbeats is that of other terminals: this family's is not published.
func DefaultConfig() Config {
	return Config{
		Ack: AckNone, MaxImageBytes: wire.DefaultMaxImageBytes,
		Heartbeat: 30 * time.Second, OfflineAfter: 90 * time.Second,
	}
}

// Validate reports every invalid setting at once, each with its name.
func (c Config) Validate() error {
	var errs []error
	if !slices.Contains([]string{AckNone, AckEcho}, c.Ack) {
		errs = append(errs, fmt.Errorf("ack must be %s or %s, not %q", AckNone, AckEcho, c.Ack))
	}
	for _, device := range c.Devices {
		if !dialect.ValidDevice(device) {
			errs = append(errs, fmt.Errorf("devices must be 1 to 64 of A-Z a-z 0-9 . _ : - each, not %q", clip.Line(device, 80)))
		}
	}
	return errors.Join(append(errs, wire.CheckMaxImageBytes(c.MaxImageBytes), wire.CheckSilence(c.Heartbeat, c.OfflineAfter))...)
}
