package terminal

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"

	"edgelens"
	"edgelens/internal/certificate"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

// How an unknown device is treated.
const (
	UnknownAccept     = "accept"
	UnknownQuarantine = "quarantine"
	UnknownRefuse     = "refuse"
)

// Config is the configuration of the MQTT bridge.
type Config struct {
	// URL and CAFile are the parameters of session.ParseAddress.
	URL, CAFile string
	// Certificate is the one by which we identify ourselves to the broker of URL, with its key; the zero value is none.
	Certificate certificate.Files
	// Group, where set, is shared by nodes that split the load: each message is
	// for one of them ($share). Letters, digits, "-" and "_".
	Group string
	// MaxMessageBytes is the size of the largest accepted message.
	MaxMessageBytes int
	// Default is the device of commands that name none; empty for the only one that
	// takes commands.
	Default string
	// RequireCertificate believes a device only if Parts.Certified knows a certificate of it.
	RequireCertificate bool
	// Unknown is how new devices are treated: UnknownAccept, UnknownQuarantine or
	// UnknownRefuse.
	Unknown string
	// MaxDevices is the maximum number of known devices; more are refused.
	MaxDevices int
	// MaxWaiting is the maximum number of waiting images of one device; further records
	// get their event without a prediction.
	MaxWaiting int
	// Model, TopK and MinScore are those of a Request.
	Model    string
	TopK     int
	MinScore float64
	// Fresh is the maximum difference between a device's own time and its arrival;
	// beyond it a record is not fresh.
	Fresh time.Duration
	// ClockLimit is the offset beyond which a device's clock is reported as wrong.
	ClockLimit time.Duration
	// CommandTTL is how long a command may be queued where its sender gives no time.
	CommandTTL time.Duration
}

// DefaultConfig accepts every device and takes messages of up to 16 MiB.
func DefaultConfig() Config {
	return Config{
		MaxMessageBytes: 16 << 20, Unknown: UnknownAccept, MaxDevices: 10_000, MaxWaiting: 2000,
		TopK: edgelens.DefaultTopK, MinScore: 0.2, Fresh: time.Minute, ClockLimit: 30 * time.Second, CommandTTL: 30 * time.Second,
	}
}

var validGroup = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)

// Validate reports every invalid setting at once, each with its name. An empty URL is
// allowed, for callers that start a broker.
func (c Config) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.URL != "" {
		if _, err := session.ParseAddress(c.URL, c.CAFile); err != nil {
			problem("url %w", err)
		}
	}
	if err := c.checkCertificate(); err != nil {
		errs = append(errs, err)
	}
	if !validGroup.MatchString(c.Group) {
		problem("group must be letters, digits, - and _, at most 64, not %q", c.Group)
	}
	if c.MaxMessageBytes < 64<<10 || c.MaxMessageBytes > 256<<20 {
		problem("max_message_bytes must be %d to %d, not %d", 64<<10, 256<<20, c.MaxMessageBytes)
	}
	if c.Default != "" && !dialect.ValidDevice(c.Default) {
		problem("default must be a serial number of 1 to 64 of A-Z a-z 0-9 . _ : -, not %q", c.Default)
	}
	if !slices.Contains([]string{UnknownAccept, UnknownQuarantine, UnknownRefuse}, c.Unknown) {
		problem("unknown must be %s, %s or %s, not %q", UnknownAccept, UnknownQuarantine, UnknownRefuse, c.Unknown)
	}
	if c.MaxDevices < 1 || c.MaxDevices > 1_000_000 {
		problem("max_devices must be 1 to 1000000, not %d", c.MaxDevices)
	}
	if c.MaxWaiting < 1 || c.MaxWaiting > 1_000_000 {
		problem("max_waiting must be 1 to 1000000, not %d", c.MaxWaiting)
	}
	if c.TopK < 1 || c.TopK > edgelens.MaxTopK {
		problem("top_k must be 1 to %d, not %d", edgelens.MaxTopK, c.TopK)
	}
	if math.IsNaN(c.MinScore) || c.MinScore < 0 || c.MinScore > 1 {
		problem("min_score must be 0 to 1, not %v", c.MinScore)
	}
	if c.Fresh < time.Second {
		problem("fresh must be at least 1s, not %v", c.Fresh)
	}
	if c.ClockLimit < time.Second {
		problem("clock_limit must be at least 1s, not %v", c.ClockLimit)
	}
	if c.CommandTTL < MinCommandTTL || c.CommandTTL > MaxCommandTTL {
		problem("command_ttl must be %v to %v, not %v", MinCommandTTL, MaxCommandTTL, c.CommandTTL)
	}
	return errors.Join(errs...)
}

// checkCertificate checks our own certificate.
func (c Config) checkCertificate() error {
	files := c.Certificate
	switch {
	case !files.IsSet():
		return nil
	case files.Certificate == "":
		return fmt.Errorf("tls.client_key is %q, and needs its certificate: set tls.client_cert, too", files.Key)
	case files.Key == "":
		return fmt.Errorf("tls.client_cert is %q, and needs its private key: set tls.client_key, too", files.Certificate)
	}
	if _, err := files.Load(); err != nil {
		return fmt.Errorf("tls.client_cert %s or its tls.client_key %s cannot be used: %w", files.Certificate, files.Key, err)
	}
	return nil
}
