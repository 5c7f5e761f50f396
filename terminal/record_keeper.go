package terminal

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
)

const (
	// minRetry and maxRetry bound the wait between attempts to store a record.
	minRetry, maxRetry = 100 * time.Millisecond, 5 * time.Second
	// onceTimeout is the time limit for storing a record of QoS 0, which only the device
	// can send again, and triesOfUnknown the maximum number of attempts for an error that
	// is not known to be temporary.
	onceTimeout    = 30 * time.Second
	triesOfUnknown = 10
)

// recordKeeperParts are the dependencies of the record keeper.
type recordKeeperParts struct {
	common
	store    Records
	routes   func(*edgelens.Record) []edgelens.Route
	registry *registry
	clocks   *clocks
	presence *presence
	answers  *answers
	// stopping is closed when the bridge stops.
	stopping <-chan struct{}
}

// recordKeeper makes records durable, each once, and acknowledges them to their devices. It
// is safe for use by many goroutines.
type recordKeeper struct {
	recordKeeperParts
	metrics *recordMetrics
}

func newRecordKeeper(parts recordKeeperParts, registerer prometheus.Registerer) *recordKeeper {
	return &recordKeeper{parts, newRecordMetrics(registerer)}
}

// onRecords stores the records of a message, acknowledges them to the device, and reports
// whether the message may be acknowledged to the broker.
func (k *recordKeeper) onRecords(ctx context.Context, msg item, message dialect.Message) bool {
	k.traffic.count(in, msg.dialect.Name(), message.Kind.String())
	proves := provesOnline
	if msg.stale(k.config.Fresh) {
		proves = provesNothing
	}
	if !k.presence.noteSeen(msg, message, proves, true, func(*edgelens.DeviceCounters) {}) {
		return true
	}
	k.answers.put(msg.dialect.Name(), kindAnswer, message.Answers)
	for _, entry := range message.Entries {
		verdict := k.clocks.assess(message.Device, k.registry.settings(message.Device).ApplyClockOffset, entry.Times, msg.receivedAt)
		reception := k.reception(msg, message.Device, entry, verdict)
		span := k.beginSpan(msg, &reception)
		outcome, err := k.keep(ctx, msg, reception)
		if err != nil {
			return false
		}
		span.end(outcome)
		k.logRecord(reception.Record, outcome)
		k.count(msg, reception.Record, entry, verdict, outcome)
		if outcome != keptNever {
			k.answers.put(msg.dialect.Name(), kindAck, entry.Acks)
		}
	}
	return true
}

// kept is the outcome of storing a record.
type kept int

const (
	keptNow    kept = iota // it is stored
	keptBefore             // it was stored before
	keptNever              // it could not be stored, and never will be
)

// String returns the outcome for the log.
func (k kept) String() string { return [...]string{"kept", "duplicate", "lost"}[k] }

// keep stores a record, and retries as long as that may help. The error is returned when
// the bridge stops: the record must be sent again.
func (k *recordKeeper) keep(ctx context.Context, msg item, reception edgelens.Reception) (kept, error) {
	wait := minRetry
	for try := 1; ; try++ {
		existing, err := k.store.Receive(ctx, reception)
		switch {
		case err == nil && existing:
			return keptBefore, nil
		case err == nil:
			return keptNow, nil
		case ctx.Err() != nil || errors.Is(err, edgelens.ErrStopping):
			return keptNever, err
		}
		passes := edgelens.NotStored(err) || errors.Is(err, edgelens.ErrBusy) || errors.Is(err, edgelens.ErrDeadline)
		switch {
		case errors.Is(err, edgelens.ErrInvalid), !passes && try >= triesOfUnknown, msg.QoS == 0 && k.now().Sub(msg.receivedAt) > onceTimeout:
			k.traffic.drop(dropNotKept)
			k.log.Error("a record is lost because it could not be stored", "event", "record_lost", "device", reception.Record.Device, "record", reception.Record.ID, "tries", try, "error", err)
			return keptNever, nil
		}
		k.warn(msg, "storing a record failed, retrying; it is not acknowledged before", err)
		stopping := k.stopping
		if msg.QoS == 0 {
			stopping = nil // the broker does not resend it
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, maxRetry)
		case <-stopping:
			return keptNever, edgelens.ErrStopping
		case <-ctx.Done():
			return keptNever, ctx.Err()
		}
	}
}

// count counts a record by the outcome and, where it is a new one, by the verdict on its
// time, with which it measures the device's clock.
func (k *recordKeeper) count(msg item, record edgelens.Record, entry dialect.Entry, verdict clock.Verdict, outcome kept) {
	k.registry.count(record.Device, func(c *edgelens.DeviceCounters) {
		c.Records++
		switch outcome {
		case keptBefore:
			c.Duplicates++
		case keptNever:
			c.Lost++
		case keptNow:
			countTime(c, verdict.Problem)
			if record.Doubt != "" {
				c.UncertainVerdicts++
			}
			if entry.Undecoded {
				c.UndecodedTexts++
			}
		}
	})
	if outcome != keptNow {
		return
	}
	k.metrics.count(record, verdict.Problem, entry.Undecoded)
	if record.Doubt != "" {
		k.warn(msg, "the verdict of a record is not understood and counts as not passed: "+record.Doubt, nil)
	}
	if msg.stored() == "" && record.Freshness != edgelens.FreshnessReplayed { // it came at once
		k.clocks.measure(record.Device, clock.FromRecord, verdict, msg.receivedAt)
	}
}

// countTime counts a record whose time proves nothing.
func countTime(c *edgelens.DeviceCounters, problem clock.Problem) {
	switch problem {
	case clock.Missing:
		c.MissingTimes++
	case clock.NotUnderstood:
		c.UnreadableTimes++
	case clock.Future:
		c.FutureTimes++
	case clock.Ambiguous:
		c.AmbiguousTimes++
	case clock.Contradiction:
		c.ContradictingTimes++
	}
}
