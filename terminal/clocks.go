package terminal

import (
	"slices"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
)

// zoneOf returns the zone that a device's clock is in, never nil.
func (b *Bridge) zoneOf(device string) *time.Location { return b.registry.zoneOf(device) }

// assess says what the times in a message of a device prove.
func (b *Bridge) assess(one item, device string, times []clock.Reading) clock.Verdict {
	measured, apply := b.registry.clock(device, one.receivedAt)
	return clock.Assess(clock.Evidence{
		Readings: times, Received: one.receivedAt, Zone: b.zoneOf(device), Fresh: b.config.Fresh, Measured: measured, Apply: apply,
	})
}

// freshness puts together what is known of a record's age: what came out of the
// broker's store is old whatever its time, and what the device says of the record
// counts where its time does not say worse.
func freshness(one item, record edgelens.Record, verdict clock.Verdict) (edgelens.Freshness, string) {
	stored := one.stored()
	switch {
	case stored != "":
		return edgelens.FreshnessReplayed, stored
	case record.Freshness == edgelens.FreshnessReplayed, verdict.Freshness == edgelens.FreshnessFresh && record.Freshness != "":
		return record.Freshness, record.FreshnessReason
	default:
		return verdict.Freshness, verdict.Reason
	}
}

// notice counts a record by what its time proves, and measures the device's clock
// by it where it came at once.
func (b *Bridge) notice(one item, record edgelens.Record, verdict clock.Verdict) {
	b.metrics.records.WithLabelValues(record.Dialect, string(record.Freshness)).Inc()
	if verdict.Problem != "" {
		b.metrics.notUnderstood.WithLabelValues(record.Dialect, partTime+string(verdict.Problem)).Inc()
	}
	if record.Doubt != "" {
		b.metrics.notUnderstood.WithLabelValues(record.Dialect, partVerdict).Inc()
		b.warn(one, "the verdict of a record is not understood, so nobody passed: "+record.Doubt, nil)
	}
	if one.stored() == "" && record.Freshness != edgelens.FreshnessReplayed {
		b.measure(record.Device, clock.FromRecord, verdict, one.receivedAt)
	}
}

// measure takes down what a device's clock showed when a message came that cannot
// have waited, and logs when it is found to be wrong, and when it is right again.
func (b *Bridge) measure(device string, source clock.Source, verdict clock.Verdict, received time.Time) {
	measured, changed := b.registry.measure(device, source, verdict, received)
	if !changed {
		return
	}
	if problem := measured.Problem(b.config.ClockLimit, b.zoneOf(device), received); problem != "" {
		b.log.Warn("the clock of a device is wrong", "device", device, "offset", clock.Round(measured.Offset), "samples", measured.Samples, "problem", problem)
		return
	}
	b.log.Info("the clock of a device is right again", "device", device, "offset", clock.Round(measured.Offset), "samples", measured.Samples)
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
