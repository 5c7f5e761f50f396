// Package capture logs the messages of terminals and of their servers, for the support of
// new firmware: one JSON object for each message, with its images cut out, and with the
// result of its dialect.
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

// Line is the log of one message.
type Line struct {
	Time     time.Time `json:"time"`
	Topic    string    `json:"topic"`
	QoS      byte      `json:"qos"`
	Retained bool      `json:"retained,omitempty"`
	Bytes    int       `json:"bytes"`
	Payload  string    `json:"payload"`
	// Dialect is the dialect of its topic; it and the rest are empty where there is none.
	Dialect string `json:"dialect,omitempty"`
	Device  string `json:"device,omitempty"`
	// Kind and Name are those of the decoded message, Error is the reason of a failure.
	Kind  string `json:"kind,omitempty"`
	Name  string `json:"name,omitempty"`
	Error string `json:"error,omitempty"`
	// Reasons are sentences about the parts of the records that were not understood: the
	// reason of a missing image, and the problem of a time or a verdict.
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

// New returns a recorder that writes to out. Unless keepNames, the values of members with
// names of personal data are masked.
func New(out io.Writer, keepNames bool, dialects ...dialect.Dialect) *Recorder {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return &Recorder{dialects: dialects, keepNames: keepNames, out: encoder}
}

// Record writes a message and acknowledges it.
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

// Lines returns the number of written messages, and the error that stopped the writing.
func (r *Recorder) Lines() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines, r.problem
}

// Line returns the log of a message that arrived at a time.
func (r *Recorder) Line(m session.Message, at time.Time) Line {
	line := Line{
		Time: at.UTC(), Topic: Cut([]byte(m.Topic)), QoS: m.QoS, Retained: m.Retained, Bytes: len(m.Payload), Payload: Cut(m.Payload),
	}
	if !r.keepNames {
		line.Payload = mask(line.Payload)
	}
	for _, d := range r.dialects {
		device, ok := d.Match(m.Topic)
		if !ok {
			continue
		}
		line.Dialect, line.Device = d.Name(), device
		reading, err := wire.Decode(d, m.Topic, m.Payload, dialect.Hints{ReceivedAt: at})
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

// reasons returns sentences about the parts of a record that were not understood.
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

// personal finds members of JSON with personal data, in text that was cut.
var personal = regexp.MustCompile(`(?i)("(?:[a-z_]*name|telnum|phone|mobile|idcard|card_?(?:no|id)?|email|birthday|address|native|password|pwd)"\s*:\s*)("(?:[^"\\]|\\.)*"|[0-9][0-9.eE+-]*)`)

// mask hides personal data.
func mask(text string) string { return personal.ReplaceAllString(text, `${1}"<masked>"`) }
