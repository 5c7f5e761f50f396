// Package simulate simulates N terminals of one dialect that behave like hardware: they
// connect, send heartbeats, send records in order until the broker (and, where the
// dialect has acknowledgements, the receiver) has confirmed them, send some twice, out of
// order or damaged, execute commands, and check the answers. It is for tests and for
// users without hardware.
package simulate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

// Config describes the terminals and what they do.
type Config struct {
	// Simulator is the terminals' side of the protocol. Dialect decodes their messages as
	// the receiver does: it provides the ids of records, and which answers are due. Both
	// have the same name.
	Simulator dialect.Simulator
	Dialect   dialect.Dialect
	Broker    session.Address
	// Devices are the serial numbers, one for each terminal; see Serials.
	Devices []string
	// Heartbeat is the interval of heartbeats, where the dialect has them; 0 for none.
	Heartbeat time.Duration
	// Rate is the number of records per second of each terminal; records that could not
	// be sent in time are sent as fast as possible, with their own time. 0 sends Records
	// of them as fast as possible.
	Rate float64
	// Records is the number of records of each terminal; 0 is unlimited with a Rate, and
	// none without.
	Records int
	// Images are sent in random order; without any, generated JPEGs are, with Distinct
	// set. Distinct gives each JPEG that is sent a comment of its own, so that no two are
	// the same file.
	Images   [][]byte
	Distinct bool
	// Passed and Strangers are the shares of records of granted accesses and of
	// strangers; the others are refused.
	Passed, Strangers float64
	// Duplicates, Reordered and Damaged are the shares of records that are sent twice,
	// swapped with the next, and damaged.
	Duplicates, Reordered, Damaged float64
	// LargeBytes is the size of an image above the limit of the receiver; 0 sends none of
	// these. The broker must accept a message of 4/3 of it.
	LargeBytes int
	// RetryUnacked is the wait before a record without the acknowledgement of the dialect
	// is resent, and Tries the maximum number of attempts.
	RetryUnacked time.Duration
	Tries        int
	// AnswerTimeout is the time limit of an answer.
	AnswerTimeout time.Duration
	// QoS overrides that of the dialect; nil keeps it.
	QoS *byte
	// FirstKey is the device's number of its first record; 0 derives one from the time,
	// so that a second run makes other records.
	FirstKey int64
	// Seed is the random seed; 0 for a random one.
	Seed uint64
	// Keep makes Fleet.Sent return every record.
	Keep bool
	// OnCommand is called for each command that a terminal receives, and must not block;
	// nil for nothing.
	OnCommand func(device string, payload []byte)
}

// DefaultConfig sends a heartbeat every 30 s and a record every 5 s; Simulator, Dialect,
// Broker and Devices must be set.
func DefaultConfig() Config {
	return Config{
		Heartbeat: 30 * time.Second, Rate: 0.2, Passed: 0.7, Strangers: 0.2,
		LargeBytes: 11 << 20, RetryUnacked: 10 * time.Second, Tries: 4, AnswerTimeout: 5 * time.Second,
	}
}

// Serials returns n serial numbers: prefix1, prefix2 and so on.
func Serials(prefix string, n int) []string {
	serials := make([]string, max(n, 0))
	for i := range serials {
		serials[i] = fmt.Sprintf("%s%d", prefix, i+1)
	}
	return serials
}

// validate reports every invalid setting at once.
func (c Config) validate() error {
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if c.Simulator == nil || c.Dialect == nil || c.Simulator.Name() != c.Dialect.Name() {
		return fmt.Errorf("%w: a simulator and the dialect of the same name are needed", edgelens.ErrInvalid)
	}
	problem(len(c.Devices) == 0, "there must be at least one terminal")
	seen := map[string]bool{}
	for _, device := range c.Devices {
		problem(!dialect.ValidDevice(device), "a serial number is 1 to 64 of A-Z a-z 0-9 . _ : -, not %.80q", device)
		problem(seen[device], "the serial number %.80q is used twice", device)
		seen[device] = true
	}
	for name, share := range map[string]float64{
		"passed": c.Passed, "strangers": c.Strangers, "duplicates": c.Duplicates, "reordered": c.Reordered, "damaged": c.Damaged,
	} {
		problem(!(share >= 0 && share <= 1), "%s is a share of 0 to 1, not %v", name, share)
	}
	problem(c.Passed+c.Strangers > 1, "passed and strangers are more than all records")
	problem(!(c.Rate >= 0 && c.Rate <= 1e6), "the rate is 0 to 1000000 records a second, not %v", c.Rate)
	problem(c.Records < 0 || c.Heartbeat < 0 || c.LargeBytes < 0, "numbers must not be negative")
	problem(c.AnswerTimeout <= 0 || c.RetryUnacked <= 0 || c.Tries < 1, "the timeouts must be more than 0, and each record is tried at least once")
	problem(c.QoS != nil && *c.QoS > 1, "QoS is 0 or 1")
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", edgelens.ErrInvalid, strings.ReplaceAll(errors.Join(errs...).Error(), "\n", "; "))
}
