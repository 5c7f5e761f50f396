package dialect

import (
	"time"

	"edgelens"
)

// A Simulator implements the device's side of a dialect, for tests and for users without
// hardware. Implementations are safe for use by many goroutines.
type Simulator interface {
	// Name is the name of the dialect.
	Name() string
	// Subscriptions returns the topic filters of all messages to the device.
	Subscriptions(device string) []string
	// Heartbeat returns the device's heartbeat; false where the dialect has none.
	Heartbeat(device string, at time.Time) (Outgoing, bool)
	// Online returns the device's message after a start, which it repeats until it is
	// answered; false where the dialect has none.
	Online(device string, at time.Time) (Outgoing, bool)
	// Record returns a message with one record: of its Kind, Key, Passed, Person and
	// CapturedAt, and the encoded image; nil for none. A Key is a decimal number.
	Record(device string, record edgelens.Record, image []byte) Outgoing
	// Reply returns the device's reply to a command; false where it sends none.
	Reply(device string, command []byte, at time.Time) (Outgoing, bool)
	// Read decodes a message to the device.
	Read(topic string, payload []byte) Answer
}

// AnswerKind is the kind of a message to a device.
type AnswerKind int

// The kinds of messages to a device.
const (
	// NotUnderstood: the device does not know the message.
	NotUnderstood AnswerKind = iota
	// HeartbeatAnswer answers a heartbeat.
	HeartbeatAnswer
	// RecordAck acknowledges a stored record, which need not be resent.
	RecordAck
	// OnlineAnswer answers Online.
	OnlineAnswer
	// CommandSent is a command.
	CommandSent
)

// Answer is a decoded message to a device.
type Answer struct {
	Kind AnswerKind
	// Key is the key of the record in a RecordAck.
	Key string
}
