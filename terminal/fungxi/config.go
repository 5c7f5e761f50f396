package fungxi

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// The ways to acknowledge a record.
const (
	// AckNone sends nothing.
	AckNone = "none"
	// AckEcho sends {"cmd":"verifiedRecordD","num":...,"time":...}: the command
	// with D (down) for U (up), as heartD answers heartU, and what the record
	// was known by, as it came.
	AckEcho = "echo"
)

// Config is how terminals of this family are set up.
type Config struct {
	// Ack is AckNone or AckEcho.
	Ack string
	// MaxImageBytes is how large an image may be, decoded.
	MaxImageBytes int64
	// Heartbeat is how often a terminal is due to be heard from, OfflineAfter
	// how long it may be silent; both 0 where silence says nothing.
	Heartbeat, OfflineAfter time.Duration
	// Devices are the only terminals to subscribe to, where the broker is not
	// ours alone: their topics have one level, so that the filter for all of
	// them is "+". Empty for all.
	Devices []string
}

// DefaultConfig acknowledges nothing and takes images of up to 10 MiB.
// Heartbeats are what other terminals have: nobody published the interval.
func DefaultConfig() Config {
	return Config{
		Ack: AckNone, MaxImageBytes: wire.DefaultMaxImageBytes,
		Heartbeat: 30 * time.Second, OfflineAfter: 90 * time.Second,
	}
}

// Validate reports every fault at once, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if !slices.Contains([]string{AckNone, AckEcho}, c.Ack) {
		errs = append(errs, fmt.Errorf("ack must be %s or %s, not %q", AckNone, AckEcho, c.Ack))
	}
	for _, device := range c.Devices {
		if !dialect.ValidDevice(device) {
			errs = append(errs, fmt.Errorf("devices must be 1 to 64 of A-Z a-z 0-9 . _ : - each, not %q", wire.Clip(device, 80)))
		}
	}
	return errors.Join(append(errs, wire.CheckMaxImageBytes(c.MaxImageBytes), wire.CheckSilence(c.Heartbeat, c.OfflineAfter))...)
}
