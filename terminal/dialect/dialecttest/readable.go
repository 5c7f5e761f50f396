package dialecttest

import (
	"encoding/json"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
)

// Message is a readable dialect.Message, for golden files.
type Message struct {
	Kind, Device, Name string
	Answers            []Outgoing       `json:",omitempty"`
	Entries            []Entry          `json:",omitempty"`
	Outcome            *dialect.Outcome `json:",omitempty"`
}

// Entry is a readable dialect.Entry.
type Entry struct {
	Kind, Key string
	Passed    bool
	Doubt     string `json:",omitempty"`
	Person    edgelens.Person
	Verdict   json.RawMessage `json:",omitempty"`
	Times     []string
	Freshness edgelens.Freshness `json:",omitempty"`
	Reason    string             `json:",omitempty"`
	Image     string
	Acks      []Outgoing `json:",omitempty"`
}

// Outgoing is a readable dialect.Outgoing.
type Outgoing struct {
	Topic   string
	QoS     byte
	Payload json.RawMessage
}

// Readable returns the message in readable form.
func Readable(message dialect.Message) Message {
	readable := Message{
		Kind: message.Kind.String(), Device: message.Device, Name: message.Name,
		Answers: outgoing(message.Answers), Outcome: message.Outcome,
	}
	for _, entry := range message.Entries {
		record := entry.Record
		readable.Entries = append(readable.Entries, Entry{
			Kind: record.Kind, Key: record.Key, Passed: record.Passed, Doubt: record.Doubt, Person: record.Person, Verdict: record.Verdict,
			Times: times(entry.Times), Freshness: record.Freshness, Reason: record.Reason, Image: string(entry.Image), Acks: outgoing(entry.Acks),
		})
	}
	return readable
}

// times returns the readings as text: without a zone where they have none.
func times(readings []clock.Reading) []string {
	var readable []string
	for _, reading := range readings {
		switch reading.Kind {
		case clock.Wall:
			readable = append(readable, reading.At.Format("2006-01-02 15:04:05.999"))
		case clock.Instant:
			readable = append(readable, reading.At.Format(time.RFC3339Nano))
		default:
			readable = append(readable, reading.Reason)
		}
	}
	return readable
}

func outgoing(messages []dialect.Outgoing) []Outgoing {
	var readable []Outgoing
	for _, message := range messages {
		readable = append(readable, Outgoing{message.Topic, message.QoS, message.Payload})
	}
	return readable
}
