package notify

import (
	"errors"
	"fmt"
	"time"

	"edgelens/internal/backoff"
)

// Later is an error of a sink with the time of the next attempt.
type Later struct {
	// After is the wait from now; it is capped at an hour.
	After time.Duration
	Err   error
}

func (l *Later) Error() string {
	return fmt.Sprintf("%v (the receiver asks for a retry in %v)", l.Err, l.After.Round(time.Second))
}

func (l *Later) Unwrap() error { return l.Err }

const (
	// maxLater caps Later.After.
	maxLater = time.Hour
	// maxProbeWait bounds the wait between probes: a sink that returns gets its first event that soon.
	maxProbeWait = 2 * time.Second
)

// outage is a sink that accepts nothing. While it lasts, one delivery at a time
// probes the sink, whatever the device; the wait between probes grows with the number
// of probes and not with the number of deliveries that fail together, so that a sink
// which fails for a second is probed again about a second later, however many devices
// there are.
type outage struct {
	// failures is the number of consecutive failures, whatever the device; from
	// brokenAfter on it is an outage.
	failures int
	since    time.Time
	// probes is the number of failed probes; deliveries that failed together count
	// as one.
	probes int
	wait   time.Duration
	// until is the time of the next probe.
	until time.Time
}

// lasts reports whether the sink is considered down.
func (o *outage) lasts() bool { return !o.since.IsZero() }

// fail accounts for a failed delivery that started at began.
func (o *outage) fail(began time.Time, err error, c Config) {
	now := time.Now()
	o.failures++
	var later *Later
	asks := errors.As(err, &later)
	if asks {
		o.until = latest(o.until, now.Add(min(later.After, maxLater)))
	}
	if !asks && o.failures < brokenAfter {
		return
	}
	if !o.lasts() {
		o.since = now
	} else if began.Before(o.until) { // it ran concurrently with others that failed
		return
	}
	o.probes++
	o.wait = min(max(2*o.wait, c.MinBackoff), c.MaxBackoff, maxProbeWait)
	o.until = latest(o.until, now.Add(backoff.Jitter(o.wait)))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
