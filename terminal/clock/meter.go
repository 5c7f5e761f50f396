package clock

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// window is the number of samples of each kind that are kept: the latest ones.
	window = 7
	// enough is the number of samples that must agree to report a wrong clock.
	enough = 3
	// enoughRecords is the number of records that must agree, over settling, to correct
	// times without heartbeats that have a time: a terminal that sends stored records
	// looks, for a while, like one whose clock is behind.
	enoughRecords = 5
	settling      = 10 * time.Minute
	// agreement is the maximum difference between agreeing samples: transmission delays,
	// and times in whole seconds.
	agreement = 10 * time.Second
	// jump is the step of our own clock against the monotonic clock after which samples
	// are dropped.
	jump = 5 * time.Second
	// quarter is the unit of the offsets of time zones, nearQuarter the maximum distance
	// from it of a clock that shows the right time of another zone, and widest the maximum
	// distance between zones.
	quarter     = 15 * time.Minute
	nearQuarter = 2 * time.Minute
	widest      = 26 * time.Hour
)

// Source is the source of a sample.
type Source int

// The sources of samples.
const (
	// FromRecord: a record's time is earlier than its sending, by an unknown time. So it
	// proves a lower bound of the offset only.
	FromRecord Source = iota
	// FromHeartbeat: a heartbeat's time is its sending time.
	FromHeartbeat
)

// sample is the offset of a clock from ours, positive when ahead, when a message arrived.
type sample struct {
	offset time.Duration
	at     time.Time // with the monotonic clock reading
	wall   bool
	step   time.Duration
}

// Meter estimates the offset of a device's clock from ours, from messages that cannot have
// waited. The zero Meter has no samples. It is not safe for use by many goroutines.
type Meter struct {
	samples [2][]sample // by Source, the oldest first
	// since is when the device was last offline, or started: its clock may have been set
	// meanwhile. Samples from before are replaced by later ones, and until then times are
	// not corrected.
	since time.Time
}

// Add adds a sample from the verdict on a message that arrived at received.
func (m *Meter) Add(source Source, v Verdict, received time.Time) {
	if v.Shown.IsZero() {
		return
	}
	if m.jumped(received) {
		m.Reset()
	}
	s := sample{offset: v.Shown.Sub(received), at: received, wall: v.Wall, step: v.Step}
	kept := m.samples[source]
	if n := len(kept); n > 0 && kept[n-1].at.Before(m.since) {
		kept = nil
	}
	kept = append(kept, s)
	m.samples[source] = kept[max(0, len(kept)-window):]
}

// jumped reports whether our own clock was set since the latest sample.
func (m *Meter) jumped(now time.Time) bool {
	for _, samples := range m.samples {
		if n := len(samples); n > 0 {
			last := samples[n-1].at
			if (now.Round(0).Sub(last.Round(0)) - now.Sub(last)).Abs() > jump {
				return true
			}
		}
	}
	return false
}

// Offline records that the device was offline until now, or has started.
func (m *Meter) Offline(now time.Time) { m.since = now }

// Reset drops all samples, for a change of the zone.
func (m *Meter) Reset() { *m = Meter{since: m.since} }

// Estimate is the estimate of a device's clock.
type Estimate struct {
	// Offset is the offset of the clock from ours, positive when ahead.
	Offset time.Duration
	// Samples is the number of messages it was measured from; 0 for none.
	Samples int
	// Heartbeats is set where the samples are from heartbeats.
	Heartbeats bool
	// Stable is set where enough samples agree to report the clock as wrong, Settled where
	// times may be corrected by it.
	Stable, Settled bool
	// Wall is set where the times had no zone of their own, so that a setting of the zone
	// changes them.
	Wall bool
}

// Estimate returns the estimate of the clock at now. From heartbeats it is the median of the
// latest ones. From records it is the second largest offset: old records, however many, do
// not make a clock seem behind, and one that is ahead by mistake does not make it seem
// ahead.
func (m *Meter) Estimate(now time.Time) Estimate {
	if m.jumped(now) {
		return Estimate{}
	}
	source := FromHeartbeat
	if len(m.samples[source]) == 0 {
		source = FromRecord
	}
	samples := slices.Clone(m.samples[source])
	if len(samples) == 0 {
		return Estimate{}
	}
	last := samples[len(samples)-1]
	slices.SortFunc(samples, func(a, b sample) int { return cmp.Compare(a.offset, b.offset) })
	chosen := samples[len(samples)/2]
	if source == FromRecord {
		chosen = samples[max(0, len(samples)-2)]
	}
	agree := slices.DeleteFunc(slices.Clone(samples), func(s sample) bool {
		return (s.offset - chosen.offset).Abs() > agreement+max(s.step, chosen.step)
	})
	settled := len(agree) >= enough
	if source == FromRecord {
		settled = len(agree) >= enoughRecords && span(agree) >= settling
	}
	return Estimate{
		Offset: chosen.offset, Samples: len(samples), Heartbeats: source == FromHeartbeat, Wall: last.wall,
		Stable: len(agree) >= enough, Settled: settled && !last.at.Before(m.since),
	}
}

// span returns the time between the first and the last sample.
func span(samples []sample) time.Duration {
	first, last := samples[0].at, samples[0].at
	for _, s := range samples {
		if s.at.Before(first) {
			first = s.at
		}
		if s.at.After(last) {
			last = s.at
		}
	}
	return last.Sub(first)
}

// certain reports whether the estimate is good enough to rule out an instant as ahead.
func (e Estimate) certain() bool { return e.Stable && (e.Heartbeats || e.Settled) }

// Words returns the offset in words, as in "8h0m0s ahead of ours".
func (e Estimate) Words() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s behind ours", Round(-e.Offset))
	}
	return fmt.Sprintf("%s ahead of ours", Round(e.Offset))
}

// Wrong reports whether the clock is certainly off by more than the limit.
func (e Estimate) Wrong(limit time.Duration) bool { return e.Stable && e.Offset.Abs() > limit }

// Problem returns sentences about a clock that is off by more than the limit, and what to
// set; empty where no problem is known. zone is the assumed zone of the clock.
func (e Estimate) Problem(limit time.Duration, zone *time.Location, now time.Time) string {
	if !e.Wrong(limit) {
		return ""
	}
	text := fmt.Sprintf("The clock is %s. ", e.Words())
	quarters := e.Offset.Round(quarter)
	if quarters == 0 || (e.Offset-quarters).Abs() > nearQuarter || e.Offset.Abs() > widest {
		return text + "Set it, best by NTP; or set apply_clock_offset for the device, and times are corrected by the measured offset."
	}
	if !e.Wall {
		return text + "It looks as if it sent local time as UTC: set its time zone at the terminal, or set apply_clock_offset for the device."
	}
	_, seconds := now.In(zone).Zone()
	return text + fmt.Sprintf("It looks like another time zone: the clock shows the time of %s but %s is assumed. Set zone for the device to its zone, such as \"Europe/Berlin\", or to %q.",
		offsetName(time.Duration(seconds)*time.Second+quarters), zone, offsetName(time.Duration(seconds)*time.Second+quarters))
}
