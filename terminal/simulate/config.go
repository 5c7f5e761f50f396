// Package simulate is N terminals of one dialect that behave like hardware: they
// connect, show that they live, send records in order until the broker (and,
// where the dialect has it, the receiver) has confirmed them, send some twice, in
// the wrong order or damaged, do what they are told, and check the answers. It
// is for tests and for people without hardware.
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

// Config is what the terminals are and do.
type Config struct {
	// Simulator speaks for the terminals. Dialect reads what they say as the
	// receiver does: by it the records' ids are known, and which answers are
	// due. Both are of one name.
	Simulator dialect.Simulator
	Dialect   dialect.Dialect
	Broker    session.Address
	// Devices are the serial numbers, one for each terminal; see Serials.
	Devices []string
	// Heartbeat is how often each terminal shows that it lives, where its dialect
	// knows that; 0 for never.
	Heartbeat time.Duration
	// Rate is how many records a second each terminal makes; what could not be
	// sent in time is sent as fast as it is taken, with its own time. 0 makes
	// Records of them as fast as they are taken.
	Rate float64
	// Records is how many each terminal makes; 0 is without end where there is a
	// Rate, and none where there is not.
	Records int
	// Images are sent in random order; without any, generated JPEGs are, with Distinct
	// set. Distinct gives each JPEG that is sent a comment of its own, so that no two are
	// the same file.
	Images   [][]byte
	Distinct bool
	// Passed and Strangers are the shares of records of people let in and of
	// strangers; the others are refused.
	Passed, Strangers float64
	// Duplicates, Reordered and Lies are the shares of records that are sent
	// twice, change places with the next, and are damaged.
	Duplicates, Reordered, Lies float64
	// LargeBytes is how large an image beyond what is allowed is; 0 for none of
	// these. The broker must take a message of 4/3 of it.
	LargeBytes int
	// RetryUnacked is after how long a record is sent again for whose
	// acknowledgement the dialect waits, and Tries how often it is sent at all.
	RetryUnacked time.Duration
	Tries        int
	// AnswerTimeout is how long an answer is waited for.
	AnswerTimeout time.Duration
	// QoS overrides that of the dialect; nil does not.
	QoS *byte
	// FirstKey is the device's number of its first record; 0 takes one from the
	// time, so that a second run makes other records.
	FirstKey int64
	// Seed makes two runs make the same choices; 0 is any.
	Seed uint64
	// Keep has Fleet.Sent remember every record.
	Keep bool
	// OnCommand is told of each command that a terminal receives, and must not
	// block; nil for nothing.
	OnCommand func(device string, payload []byte)
}

// DefaultConfig is one heartbeat every 30 s and a record every 5 s; Simulator,
// Dialect, Broker and Devices are to be filled in.
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

// validate reports every fault at once.
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
	problem(len(c.Devices) == 0, "there must be a terminal at least")
	seen := map[string]bool{}
	for _, device := range c.Devices {
		problem(!dialect.ValidDevice(device), "a serial number is 1 to 64 of A-Z a-z 0-9 . _ : -, not %.80q", device)
		problem(seen[device], "the serial number %.80q is there twice", device)
		seen[device] = true
	}
	for name, share := range map[string]float64{
		"passed": c.Passed, "strangers": c.Strangers, "duplicates": c.Duplicates, "reordered": c.Reordered, "lies": c.Lies,
	} {
		problem(!(share >= 0 && share <= 1), "%s is a share of 0 to 1, not %v", name, share)
	}
	problem(c.Passed+c.Strangers > 1, "passed and strangers are more than all records")
	problem(!(c.Rate >= 0 && c.Rate <= 1e6), "the rate is 0 to 1000000 records a second, not %v", c.Rate)
	problem(c.Records < 0 || c.Heartbeat < 0 || c.LargeBytes < 0, "numbers must not be negative")
	problem(c.AnswerTimeout <= 0 || c.RetryUnacked <= 0 || c.Tries < 1, "the times to wait must be more than 0, and each record is tried once at least")
	problem(c.QoS != nil && *c.QoS > 1, "QoS is 0 or 1")
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", edgelens.ErrInvalid, strings.ReplaceAll(errors.Join(errs...).Error(), "\n", "; "))
}
