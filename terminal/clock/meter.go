package clock

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// window is how many samples of each kind are kept: the last ones.
	window = 7
	// enough is how many must agree for a claim: that a clock is wrong.
	enough = 3
	// enoughRecords is how many records must agree, over settling, for their times
	// to be put right where there are no heartbeats with a time: a terminal that
	// sends what it kept looks like a clock that is behind, for a while.
	enoughRecords = 5
	settling      = 10 * time.Minute
	// agreement is by how much samples may differ: delays on the way, and times
	// written in whole seconds.
	agreement = 10 * time.Second
	// jump is by how much our own clock may move against the time that passes until
	// what was measured with it is dropped.
	jump = 5 * time.Second
	// quarter is what the offsets of time zones are multiples of, nearQuarter how
	// near one the offset of a clock is that shows the right time of another zone,
	// and widest how far zones are apart.
	quarter     = 15 * time.Minute
	nearQuarter = 2 * time.Minute
	widest      = 26 * time.Hour
)

// Source is where a sample comes from.
type Source int

// The sources of samples.
const (
	// FromRecord: a record's time lies before it was sent, by an unknown time. So
	// it proves how far a clock is ahead at least.
	FromRecord Source = iota
	// FromHeartbeat: a heartbeat's time is that at which it was sent.
	FromHeartbeat
)

// sample is by how much a clock was ahead of ours when a message came.
type sample struct {
	offset time.Duration
	at     time.Time // with the steady clock's reading
	wall   bool
	step   time.Duration
}

// Meter measures by how much a device's clock is ahead of ours, from messages that
// cannot have waited. The zero Meter has measured nothing. It is not safe for use
// by many goroutines.
type Meter struct {
	samples [2][]sample // by Source, the oldest first
	// since is when the device was last away, or started: its clock may have been
	// set meanwhile. What was measured before is replaced by what is measured after,
	// and until then nothing is put right by it.
	since time.Time
}

// Add takes down what was made of the time of a message that came at received.
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

// jumped reports whether our own clock was set since the last sample.
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

// Away notes that the device was away until now, or has started anew.
func (m *Meter) Away(now time.Time) { m.since = now }

// Reset forgets what was measured: it is measured in another zone from now on.
func (m *Meter) Reset() { *m = Meter{since: m.since} }

// Estimate is what is known of a device's clock.
type Estimate struct {
	// Offset is by how much the clock is ahead of ours; negative for behind.
	Offset time.Duration
	// Samples is how many messages it was measured from; 0 for not at all.
	Samples int
	// Heartbeats is set where they were heartbeats.
	Heartbeats bool
	// Stable is set where enough of them agree to call the clock wrong, Settled
	// where times may be put right by it.
	Stable, Settled bool
	// Wall is set where the times had no zone of their own, so that a setting of
	// the zone changes them.
	Wall bool
}

// Estimate returns what is known of the clock now. Of heartbeats it is the
// median of the last ones. Of records it is the largest but one: old records,
// however many, do not make a clock seem behind, and one that lies ahead by mistake
// does not make it seem ahead.
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

// span is over how long samples came.
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

// certain reports whether the clock is known well enough to say that a moment
// lies ahead.
func (e Estimate) certain() bool { return e.Stable && (e.Heartbeats || e.Settled) }

// Words is how far the clock is off, as in "8h0m0s ahead of ours".
func (e Estimate) Words() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s behind ours", Round(-e.Offset))
	}
	return fmt.Sprintf("%s ahead of ours", Round(e.Offset))
}

// Wrong reports whether the clock is off by more than the limit, for sure.
func (e Estimate) Wrong(limit time.Duration) bool { return e.Stable && e.Offset.Abs() > limit }

// Problem says in sentences what is wrong with a clock that is off by more than
// the limit, and what to set; empty where nothing is known to be. zone is the one
// that it is taken to be in.
func (e Estimate) Problem(limit time.Duration, zone *time.Location, now time.Time) string {
	if !e.Wrong(limit) {
		return ""
	}
	text := fmt.Sprintf("The clock is %s. ", e.Words())
	quarters := e.Offset.Round(quarter)
	if quarters == 0 || (e.Offset-quarters).Abs() > nearQuarter || e.Offset.Abs() > widest {
		return text + "Set it, best by NTP; or set apply_clock_offset for the device, and times are put right by what is measured."
	}
	if !e.Wall {
		return text + "It looks as if it wrote local time for UTC: set its time zone at the terminal, or set apply_clock_offset for the device."
	}
	_, seconds := now.In(zone).Zone()
	return text + fmt.Sprintf("It looks like another time zone: the clock shows the time of %s and is taken for %s. Set zone for the device to its zone, such as \"Europe/Berlin\", or to %q.",
		offsetName(time.Duration(seconds)*time.Second+quarters), zone, offsetName(time.Duration(seconds)*time.Second+quarters))
}
