package notify

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Later is an error of a sink that says when it may be asked again.
type Later struct {
	// After is how long from now; at most an hour counts.
	After time.Duration
	Err   error
}

func (l *Later) Error() string {
	return fmt.Sprintf("%v (it asks to be tried again in %v)", l.Err, l.After.Round(time.Second))
}

func (l *Later) Unwrap() error { return l.Err }

// maxLater bounds what Later may ask for.
const maxLater = time.Hour

// outage is a sink that does not take anything. While it lasts, one delivery at a
// time probes, whatever the device; the wait between probes grows from one probe to
// the next and not with the number of deliveries that fail together, so that a sink
// which fails for a second is asked again about a second later, however many devices
// there are.
type outage struct {
	// failures in a row, whatever the device; from brokenAfter on it is an outage.
	failures int
	since    time.Time
	// probes is how often it was found to be away, those that failed together
	// being one time.
	probes int
	wait   time.Duration
	// until is when the next probe may be made.
	until time.Time
}

// lasts reports whether the sink is taken to be away.
func (o *outage) lasts() bool { return !o.since.IsZero() }

// fail takes a failure into account, of a delivery that began at began.
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
	} else if began.Before(o.until) { // it was under way with others that failed
		return
	}
	o.probes++
	o.wait = min(max(2*o.wait, c.MinBackoff), c.MaxBackoff)
	o.until = latest(o.until, now.Add(spread(o.wait)))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// spread takes up to a half off a wait, so that many do not come at once.
func spread(wait time.Duration) time.Duration { return wait/2 + rand.N(wait/2+1) }
