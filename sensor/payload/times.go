package payload

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
)

// timeNames are the members of an object with its time, folded.
var timeNames = []string{"timestamp", "time", "ts", "datetime", "lastseen", "measuredat", "recordedat"}

func isTime(fold string) bool { return slices.Contains(timeNames, fold) }

// readTime reads a member with a time. Only numbers and strings can be one.
func readTime(token json.Token) clock.Reading {
	switch value := token.(type) {
	case string:
		return clock.Parse(value)
	case json.Number:
		return clock.Parse(value.String())
	case nil:
		return clock.Reading{}
	}
	return clock.Reading{Kind: clock.Unreadable, Reason: "it is not a time in a known notation"}
}

// words turns the sentences about the times of records into those about readings.
var words = strings.NewReplacer("The record", "The reading", "the record", "the reading", "terminal", "sensor",
	", or set apply_clock_offset for the device", "")

// timed returns a reading with the times of a message, by the rules for records.
func (p *Parser) timed(m Message, found values) edgelens.Reading {
	times := found.times
	if len(times) == 0 && !m.SentAt.IsZero() {
		times = []clock.Reading{{Kind: clock.Instant, At: m.SentAt.UTC(), Step: time.Second}}
	}
	verdict := clock.Assess(clock.Evidence{
		Readings: times, Received: m.ReceivedAt, Zone: p.Zone.Of(found.device), Fresh: p.Fresh,
	})
	reading := edgelens.Reading{
		ReceivedAt: m.ReceivedAt, Freshness: verdict.Freshness, FreshnessReason: words.Replace(verdict.Reason),
	}
	if verdict.Freshness != edgelens.FreshnessUnknown && !verdict.At.IsZero() {
		reading.At, reading.Stamped = verdict.At, true
	}
	if m.Retained {
		reading.Freshness, reading.FreshnessReason = edgelens.FreshnessReplayed, "The broker delivered the value from its store."
	}
	if reading.At.IsZero() && reading.Freshness != edgelens.FreshnessReplayed {
		reading.At = m.ReceivedAt.UTC()
	}
	return reading
}
