package wire

import (
	"strconv"
	"strings"
	"time"
)

// LocalTime is how terminals write a time: local, and without a zone.
const LocalTime = "2006-01-02 15:04:05"

// Zone tells the zone that a device's clock is in; nil is this machine's, as is
// a function that returns nil.
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

// layouts are the ways to write a time; a fraction of a second may follow in
// all of them.
var layouts = []string{
	LocalTime, "2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05Z0700", "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05 Z0700",
}

const (
	maxTimeText = 40
	// What a year may be: time.Time cannot be marshalled beyond four digits.
	firstYear, lastYear = 1970, 2199
	// Numbers from here on are seconds, or milliseconds, since 1970: both are
	// September 2001. Smaller ones are counters.
	firstSeconds, firstMillis = 1_000_000_000, 1_000_000_000_000
)

// Time returns the time that a device gave, in UTC: a text with or without a
// zone (then location is its), or seconds or milliseconds since 1970, as number
// or text. It is zero where there is none, or one that cannot be.
func (v Value) Time(location *time.Location) time.Time {
	if len(v) > 2*maxTimeText {
		return time.Time{}
	}
	return parseTime(v.Text(), location)
}

func parseTime(text string, location *time.Location) time.Time {
	if len(text) > maxTimeText {
		return time.Time{}
	}
	if number, err := strconv.ParseInt(strings.TrimSuffix(text, ".0"), 10, 64); err == nil {
		switch {
		case number >= firstMillis:
			return possible(time.UnixMilli(number))
		case number >= firstSeconds:
			return possible(time.Unix(number, 0))
		default:
			return time.Time{}
		}
	}
	for _, layout := range layouts {
		if at, err := time.ParseInLocation(layout, text, location); err == nil {
			return possible(at)
		}
	}
	return time.Time{}
}

func possible(at time.Time) time.Time {
	at = at.UTC()
	if at.Year() < firstYear || at.Year() > lastYear {
		return time.Time{}
	}
	return at
}
