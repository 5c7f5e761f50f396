package dialect

import (
	"time"

	"edgelens"
)

// A Simulator speaks the device's side of a dialect, for tests and for people
// without hardware. Implementations are safe for use by many goroutines.
type Simulator interface {
	// Name is the dialect's.
	Name() string
	// Subscriptions returns the topic filters of everything that is said to the
	// device.
	Subscriptions(device string) []string
	// Heartbeat is what the device says to show that it lives; false where the
	// dialect knows no such thing.
	Heartbeat(device string, at time.Time) (Outgoing, bool)
	// Online is what the device says when it has come up, again and again until
	// it is answered; false where the dialect knows no such thing.
	Online(device string, at time.Time) (Outgoing, bool)
	// Record is a message with one record: of its Kind, Key, Passed, Person and
	// CapturedAt, and the encoded image; nil for none. A Key is a decimal
	// number.
	Record(device string, record edgelens.Record, image []byte) Outgoing
	// Reply is how the device answers a command; false where it does not.
	Reply(device string, command []byte, at time.Time) (Outgoing, bool)
	// Read says what a message to the device is.
	Read(topic string, payload []byte) Answer
}

// AnswerKind is what a message to a device is.
type AnswerKind int

// The kinds of answers.
const (
	// NotUnderstood: nothing that the device knows.
	NotUnderstood AnswerKind = iota
	// HeartbeatAnswer answers a heartbeat.
	HeartbeatAnswer
	// RecordAck says that a record is safe and need not come again.
	RecordAck
	// OnlineAnswer answers Online.
	OnlineAnswer
	// CommandSent is a command.
	CommandSent
)

// Answer is a message to a device, understood.
type Answer struct {
	Kind AnswerKind
	// Key is the record's, in a RecordAck.
	Key string
}
