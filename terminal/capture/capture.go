// Package capture logs what terminals and those who talk to them say, for
// supporting new firmware: one JSON object for each message, with its images
// cut out, and with what each dialect makes of it.
package capture

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"sync"
	"time"

	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/session"
)

// Line is what is logged of a message.
type Line struct {
	Time     time.Time `json:"time"`
	Topic    string    `json:"topic"`
	QoS      byte      `json:"qos"`
	Retained bool      `json:"retained,omitempty"`
	Bytes    int       `json:"bytes"`
	Payload  string    `json:"payload"`
	// Dialect is that whose topic it is; the rest is empty where it is none's.
	Dialect string `json:"dialect,omitempty"`
	Device  string `json:"device,omitempty"`
	// Kind and Name are how it decoded, Error why it did not.
	Kind  string `json:"kind,omitempty"`
	Name  string `json:"name,omitempty"`
	Error string `json:"error,omitempty"`
	// Reasons say what was not understood of the records: why one has no image, and
	// what is wrong with its time or its verdict.
	Reasons []string `json:"reasons,omitempty"`
}

// Recorder writes lines. It is safe for use by many goroutines.
type Recorder struct {
	dialects  []dialect.Dialect
	keepNames bool

	mu      sync.Mutex
	out     *json.Encoder
	lines   int
	problem error
}

// New returns a recorder that writes to out. Unless keepNames, the values of
// members whose names say that they are about a person are masked.
func New(out io.Writer, keepNames bool, dialects ...dialect.Dialect) *Recorder {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return &Recorder{dialects: dialects, keepNames: keepNames, out: encoder}
}

// Record writes a message down and confirms it.
func (r *Recorder) Record(m session.Message) {
	line := r.Line(m, time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem == nil {
		if r.problem = r.out.Encode(line); r.problem == nil {
			r.lines++
		}
	}
	m.Ack()
}

// Lines returns how many messages were written, and why no more can be.
func (r *Recorder) Lines() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines, r.problem
}

// Line returns what is logged of a message that came at a time.
func (r *Recorder) Line(m session.Message, at time.Time) Line {
	line := Line{
		Time: at.UTC(), Topic: Cut([]byte(m.Topic)), QoS: m.QoS, Retained: m.Retained, Bytes: len(m.Payload), Payload: Cut(m.Payload),
	}
	if !r.keepNames {
		line.Payload = mask(line.Payload)
	}
	for _, spoken := range r.dialects {
		device, ok := spoken.Match(m.Topic)
		if !ok {
			continue
		}
		line.Dialect, line.Device = spoken.Name(), device
		reading, err := wire.Decode(spoken, m.Topic, m.Payload, dialect.Hints{ReceivedAt: at})
		if err != nil {
			line.Error = err.Error()
			return line
		}
		line.Device, line.Kind, line.Name = reading.Messages[0].Device, reading.Messages[0].Kind.String(), reading.Messages[0].Name
		line.Reasons = append(line.Reasons, reading.Problems()...)
		for _, message := range reading.Messages {
			for _, entry := range message.Entries {
				line.Reasons = append(line.Reasons, reasons(entry)...)
			}
		}
		return line
	}
	return line
}

// reasons say what was not understood of a record.
func reasons(entry dialect.Entry) (all []string) {
	for _, reason := range []string{entry.Record.Reason, entry.Record.Doubt, entry.Record.FreshnessReason} {
		if reason != "" {
			all = append(all, reason)
		}
	}
	for _, reading := range entry.Times {
		switch reading.Kind {
		case clock.Absent:
			all = append(all, "The record has no time.")
		case clock.Unreadable:
			all = append(all, fmt.Sprintf("The time %q cannot be read: %s.", reading.Text, reading.Reason))
		}
	}
	return all
}

// personal finds members of JSON about a person, in text that was cut.
var personal = regexp.MustCompile(`(?i)("(?:[a-z_]*name|telnum|phone|mobile|idcard|card_?(?:no|id)?|email|birthday|address|native|password|pwd)"\s*:\s*)("(?:[^"\\]|\\.)*"|[0-9][0-9.eE+-]*)`)

// mask hides what is personal.
func mask(text string) string { return personal.ReplaceAllString(text, `${1}"<masked>"`) }
