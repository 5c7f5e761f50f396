package terminal

import (
	"slices"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
)

// zoneOf returns the zone of a device's clock, never nil.
func (b *Bridge) zoneOf(device string) *time.Location { return b.registry.zoneOf(device) }

// assess returns what the times in a message of a device prove.
func (b *Bridge) assess(msg item, device string, times []clock.Reading) clock.Verdict {
	measured, apply := b.registry.clock(device, msg.receivedAt)
	return clock.Assess(clock.Evidence{
		Readings: times, Received: msg.receivedAt, Zone: b.zoneOf(device), Fresh: b.config.Fresh, Measured: measured, Apply: apply,
	})
}

// freshness combines the evidence of a record's age: a message out of the broker's store
// is old whatever its time, and the device's own statement counts where its time does not
// prove worse.
func freshness(msg item, record edgelens.Record, verdict clock.Verdict) (edgelens.Freshness, string) {
	stored := msg.stored()
	switch {
	case stored != "":
		return edgelens.FreshnessReplayed, stored
	case record.Freshness == edgelens.FreshnessReplayed, verdict.Freshness == edgelens.FreshnessFresh && record.Freshness != "":
		return record.Freshness, record.FreshnessReason
	default:
		return verdict.Freshness, verdict.Reason
	}
}

// notice counts a record by the verdict on its time, and measures the device's clock where
// the record came at once.
func (b *Bridge) notice(msg item, record edgelens.Record, verdict clock.Verdict) {
	b.metrics.records.WithLabelValues(record.Dialect, string(record.Freshness)).Inc()
	if verdict.Problem != "" {
		b.metrics.notUnderstood.WithLabelValues(record.Dialect, partTime+string(verdict.Problem)).Inc()
	}
	if record.Doubt != "" {
		b.metrics.notUnderstood.WithLabelValues(record.Dialect, partVerdict).Inc()
		b.warn(msg, "the verdict of a record is not understood and counts as not passed: "+record.Doubt, nil)
	}
	if msg.stored() == "" && record.Freshness != edgelens.FreshnessReplayed {
		b.measure(record.Device, clock.FromRecord, verdict, msg.receivedAt)
	}
}

// measure adds a sample of a device's clock from a message that cannot have waited, and
// logs when the clock becomes wrong and when it is right again.
func (b *Bridge) measure(device string, source clock.Source, verdict clock.Verdict, received time.Time) {
	measured, changed := b.registry.measure(device, source, verdict, received)
	if !changed {
		return
	}
	if problem := measured.Problem(b.config.ClockLimit, b.zoneOf(device), received); problem != "" {
		b.log.Warn("the clock of a device is wrong", "event", "clock_wrong", "device", device, "offset", clock.Round(measured.Offset), "samples", measured.Samples, "problem", problem)
		return
	}
	b.log.Info("the clock of a device is right again", "event", "clock_right", "device", device, "offset", clock.Round(measured.Offset), "samples", measured.Samples)
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

// WrongClocks returns the accepted devices whose clocks are off by more than
// Config.ClockLimit, by id.
func (b *Bridge) WrongClocks() (devices []string) {
	for _, device := range b.registry.list() {
		if device.State == edgelens.DeviceAccepted && device.Clock.Problem != "" {
			devices = append(devices, device.ID)
		}
	}
	slices.Sort(devices)
	return devices
}
