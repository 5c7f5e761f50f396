// Package clock parses the times that terminals send, measures the offsets of their clocks,
// and assesses what a record's time proves: whether the record is fresh. A time that cannot
// be read, or fits several instants, is never guessed: it proves nothing.
package clock

import "time"

// Kind is the kind of a device's value for a time.
type Kind int

// The kinds of readings.
const (
	// Absent: nothing, null or an empty string.
	Absent Kind = iota
	// Unreadable: a value that is not a time, or that may be several.
	Unreadable
	// Wall: a date and a time of day without a zone, by the device's clock.
	Wall
	// Instant: a point in time independent of the device's zone: with a zone of its own,
	// or counted since 1970.
	Instant
)

// Reading is one time, as a device sent it.
type Reading struct {
	Kind Kind
	// At is the time of an Instant, in UTC. For a Wall it is what the clock shows, as if
	// it were in UTC.
	At time.Time
	// Step is the precision of the notation: a time without seconds has a Step of a
	// minute, and At is the beginning of the minute.
	Step time.Duration
	// Zone is the zone named by a Wall ("Asia/Shanghai"); nil for the device's.
	Zone *time.Location
	// Text is the original text, for display: at most 40 bytes of printable ASCII.
	Text string
	// Reason is why it is Unreadable, as in "it has no date".
	Reason string
}

// Zone returns the zone of a device's clock; nil is this machine's, as is a function that
// returns nil.
type Zone func(device string) *time.Location

// Of returns the zone of a device, never nil.
func (z Zone) Of(device string) *time.Location {
	if z != nil {
		if location := z(device); location != nil {
			return location
		}
	}
	return time.Local
}

// instants returns the instants that fit the reading, the earliest first: one; two for a
// wall time that occurs twice, when summer time ends; none for one that does not exist,
// when it begins. zone is the device's.
func (r Reading) instants(zone *time.Location) []time.Time {
	switch {
	case r.Kind == Instant:
		return []time.Time{r.At}
	case r.Kind != Wall:
		return nil
	case r.Zone != nil:
		zone = r.Zone
	}
	var instants []time.Time
	// A change of the zone's offset has an effect within a day; each offset in force around
	// the wall time is tried, and accepted where it leads back to that wall time.
	tried := map[int]bool{}
	for _, around := range []time.Duration{24 * time.Hour, 12 * time.Hour, 0, -12 * time.Hour, -24 * time.Hour} {
		_, offset := r.At.Add(around).In(zone).Zone()
		if tried[offset] {
			continue
		}
		tried[offset] = true
		at := r.At.Add(-time.Duration(offset) * time.Second)
		if _, there := at.In(zone).Zone(); there != offset {
			continue
		}
		instants = append(instants, at)
	}
	if len(instants) > 1 && instants[1].Before(instants[0]) {
		instants[0], instants[1] = instants[1], instants[0]
	}
	return instants
}

// zoneName returns the name of the zone of a Wall, for display.
func (r Reading) zoneName(zone *time.Location) string {
	if r.Zone != nil {
		zone = r.Zone
	}
	return zone.String()
}
