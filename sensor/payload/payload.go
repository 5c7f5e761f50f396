// Package payload parses the MQTT messages of sensors: topic and payload in, readings out.
// It knows JSON objects, bare numbers, "Temperature: 23.5" and "temp=23.5 C", and the topics
// of Tasmota, ESPHome, zigbee2mqtt and Home Assistant. It is pure: no state, no clock of its
// own. What it cannot read it refuses with a sentence.
package payload

import (
	"bytes"
	"time"
	"unicode/utf8"

	"edgelens"
	"edgelens/terminal/clock"
)

const (
	// maxTopic is the length of the longest accepted topic in bytes.
	maxTopic = 512
	// maxDepth is how deep objects may be nested, and MaxReadings how many values one
	// message may hold.
	maxDepth    = 8
	MaxReadings = 64
)

// Message is one MQTT message.
type Message struct {
	Topic   string
	Payload []byte
	// Retained reports that the broker delivered it from its store.
	Retained bool
	// ReceivedAt is the time of arrival.
	ReceivedAt time.Time
	// SentAt is the time at which the device sealed the message: that of values without one of their own. Zero where it is not
	// known.
	SentAt time.Time
}

// Result is what a message holds.
type Result struct {
	// Readings has at least one reading. All are of one device and time.
	Readings []edgelens.Reading
	// LeftOut counts the members of an object that are no numbers, and texts about no
	// value: switches, lists, null.
	LeftOut int
}

// Parser parses messages. It is safe for use by many goroutines.
type Parser struct {
	// Topics are the subscribed filters: their levels before the first wildcard name no
	// device.
	Topics []string
	// Zone is that of times without one of their own; nil for this machine's.
	Zone clock.Zone
	// Fresh is the maximum difference between a reading's own time and its arrival.
	Fresh time.Duration
	// MaxBytes is the size of the largest accepted payload.
	MaxBytes int
}

// Parse returns the readings of a message. The error is a *Refusal.
func (p *Parser) Parse(m Message) (Result, error) {
	if len(m.Payload) > p.MaxBytes {
		return Result{}, refuse(TooLarge, "The payload has %d bytes; the limit is %d.", len(m.Payload), p.MaxBytes)
	}
	if !utf8.Valid(m.Payload) || !utf8.ValidString(m.Topic) {
		return Result{}, refuse(NotText, "The topic or the payload is not UTF-8.")
	}
	at, err := p.place(m.Topic)
	if err != nil {
		return Result{}, err
	}
	content := bytes.TrimSpace(bytes.TrimPrefix(m.Payload, []byte("\ufeff")))
	var found values
	switch {
	case len(content) == 0:
		return Result{}, refuse(Empty, "The payload is empty.")
	case content[0] == '{':
		found, err = readObject(content, at)
	case content[0] == '[':
		return Result{}, refuse(NoNumber, "The payload is a JSON array; send one object or number in each message.")
	default:
		found, err = readText(string(content), at)
	}
	if err != nil {
		return Result{}, err
	}
	return p.result(m, found)
}

// values are the content of a payload, before its time is assessed.
type values struct {
	device, location string
	numbers          []number
	times            []clock.Reading
	leftOut          int
}

// number is one value of a payload; an unnamed one gets its field from the topic.
type number struct {
	field, unit string
	value       float64
	unnamed     bool
}

// result checks the names and adds the time.
func (p *Parser) result(m Message, found values) (Result, error) {
	if found.device == "" {
		return Result{}, refuse(NoDevice, "The message names no device: add device_id to the object, or a level to the topic.")
	}
	if err := checkName("device", found.device, edgelens.MaxSensorName); err != nil {
		return Result{}, err
	}
	if err := checkName("location", found.location, edgelens.MaxSensorName); found.location != "" && err != nil {
		return Result{}, err
	}
	base := p.timed(m, found)
	base.Device, base.Location = found.device, found.location
	result := Result{Readings: make([]edgelens.Reading, 0, len(found.numbers)), LeftOut: found.leftOut}
	for _, n := range found.numbers {
		if err := checkField(n.field); err != nil {
			return Result{}, err
		}
		unit := normalUnit(n.field, n.unit)
		if err := checkName("unit", unit, edgelens.MaxSensorUnit); unit != "" && err != nil {
			return Result{}, err
		}
		reading := base
		reading.Field, reading.Unit, reading.Value = n.field, unit, n.value
		result.Readings = append(result.Readings, reading)
	}
	return result, nil
}
