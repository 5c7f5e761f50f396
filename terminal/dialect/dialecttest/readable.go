package dialecttest

import (
	"encoding/json"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
)

// Message is a dialect.Message for people and golden files to read.
type Message struct {
	Kind, Device, Name string
	Answers            []Outgoing       `json:",omitempty"`
	Entries            []Entry          `json:",omitempty"`
	Outcome            *dialect.Outcome `json:",omitempty"`
}

// Entry is a dialect.Entry for people to read.
type Entry struct {
	Kind, Key  string
	Passed     bool
	Person     edgelens.Person
	Verdict    json.RawMessage `json:",omitempty"`
	CapturedAt time.Time
	Reason     string `json:",omitempty"`
	Image      string
	Acks       []Outgoing `json:",omitempty"`
}

// Outgoing is a dialect.Outgoing for people to read.
type Outgoing struct {
	Topic   string
	QoS     byte
	Payload json.RawMessage
}

// Readable returns the message for people to read.
func Readable(message dialect.Message) Message {
	readable := Message{
		Kind: message.Kind.String(), Device: message.Device, Name: message.Name,
		Answers: outgoing(message.Answers), Outcome: message.Outcome,
	}
	for _, entry := range message.Entries {
		record := entry.Record
		readable.Entries = append(readable.Entries, Entry{
			Kind: record.Kind, Key: record.Key, Passed: record.Passed, Person: record.Person, Verdict: record.Verdict,
			CapturedAt: record.CapturedAt, Reason: record.Reason, Image: string(entry.Image), Acks: outgoing(entry.Acks),
		})
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
