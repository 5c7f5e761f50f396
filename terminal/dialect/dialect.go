// Package dialect is the contract between the MQTT bridge and the protocol of one family
// of terminals. A dialect only translates: it keeps no state, opens nothing and never
// blocks, so that it can be tested with bytes alone. Package terminal processes the
// messages (duplicates, order, answers, commands).
//
// Messages come from any client of the broker. A dialect must accept any bytes on any
// topic without a panic and in memory bounded by the size of the message, tolerate the
// variations of real firmware (numbers as strings and strings as numbers, missing and
// unknown fields), and never discard a record because its image is bad: the verdict alone
// is worth an event.
package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
)

// ErrMalformed: the bytes are not a message of the dialect. The error that wraps it is for
// a log: it quotes no payload.
var ErrMalformed = errors.New("the message is malformed")

// ErrNotJSON, an ErrMalformed: the bytes are not a JSON object, as they should be.
var ErrNotJSON = fmt.Errorf("%w: it is not JSON", ErrMalformed)

// ErrNoSuchCommand: the dialect cannot express the command; the text has the commands that
// it can.
var ErrNoSuchCommand = errors.New("the command cannot be sent")

// A Dialect is the protocol of one family of terminals. Implementations are safe for use by
// many goroutines.
type Dialect interface {
	// Name is short and stable: "fungxi".
	Name() string
	// Subscriptions returns the topic filters of everything that its devices publish.
	Subscriptions() []Subscription
	// Match reports whether a message on the topic is of this dialect, and the serial
	// number of the device where the topic contains it. A topic of the dialect with a
	// serial number that ValidDevice refuses matches without a device: Decode returns the
	// reason.
	Match(topic string) (device string, ok bool)
	// Decode decodes a message on a topic that Match accepted. Errors: ErrMalformed, and
	// ErrNotJSON for payloads that wire.Decode may read leniently.
	Decode(topic string, payload []byte, hints Hints) (Message, error)
	// Command translates a command for a device. id is ours, and the device refers to it
	// in its reply; body is the caller's. Errors: ErrNoSuchCommand, also for a device
	// that ValidDevice refuses.
	Command(device, id string, body json.RawMessage, now time.Time) (Outgoing, error)
	// Topics returns the topics that a device publishes and subscribes to, for the rules
	// of a broker.
	Topics(device string) (writes, reads []string)
	// Downlink reports whether devices of the dialect subscribe to a topic, so that its
	// messages are published by edgelens, or in its place.
	Downlink(topic string) bool
	// Policy returns when its devices count as online.
	Policy() Policy
}

// Hints are known about a message besides its payload.
type Hints struct {
	// ReceivedAt is now, in the zone of the device where the topic names it: answers with
	// the time use it.
	ReceivedAt time.Time
	// Charset is the character set of the device's texts that are not UTF-8, as
	// charset.Find accepts it; empty where it is unknown.
	Charset string
}

// Subscription is a topic filter.
type Subscription struct {
	Filter string
	// Everywhere is set where each of several nodes that share the load must receive the
	// messages: replies to commands, which any of them may have sent.
	Everywhere bool
}

// Policy is when devices of a dialect count as online.
type Policy struct {
	// Heartbeat is the interval of the devices' heartbeats; 0 where they send messages
	// only with records.
	Heartbeat time.Duration
	// OfflineAfter is the silence after which a device counts as offline; 0 where silence
	// proves nothing.
	OfflineAfter time.Duration
}

// Kind is the kind of a message.
type Kind int

// The kinds of messages.
const (
	// Unknown: well formed, but unknown to the dialect; counted, for the support of new
	// firmware.
	Unknown Kind = iota
	// Heartbeat: the device is online.
	Heartbeat
	// Online: the device has started or reconnected.
	Online
	// Offline: the device has disconnected, or its broker reports that.
	Offline
	// Records: the message has entries, perhaps none.
	Records
	// Reply: the device replies to a command.
	Reply
)

// String returns the kind's name in metrics and logs.
func (k Kind) String() string {
	switch k {
	case Heartbeat:
		return "heartbeat"
	case Online:
		return "online"
	case Offline:
		return "offline"
	case Records:
		return "records"
	case Reply:
		return "reply"
	default:
		return "unknown"
	}
}

// Message is a message of a device.
type Message struct {
	Kind Kind
	// Device is its serial number, which ValidDevice accepts; empty where the message has
	// none.
	Device string
	// Name is the device's own name of the message kind, such as "heartU"; at most
	// 64 bytes of printable ASCII.
	Name string
	// Answers are sent at once, before the message is processed: they confirm nothing but
	// that the receiver is running.
	Answers []Outgoing
	// Times are the sending times in a message of kind Heartbeat, by the device's clock;
	// nil where its kind has no time.
	Times []clock.Reading
	// Entries are the records in a message of kind Records.
	Entries []Entry
	// LeftOut is the number of parts of the message that are not records, or exceed the
	// limit.
	LeftOut int
	// Outcome is set in a message of kind Reply. A device that confirms one of our
	// acknowledgements replies, too: that Outcome names no command.
	Outcome *Outcome
}

// Entry is one record in a message.
type Entry struct {
	// Record has Kind, Key, Passed, Doubt, Person, Verdict and, where an image was expected
	// but could not be read, Reason; where the message states that it was not sent at
	// once, or where that is unclear, Freshness and FreshnessReason. The receiver sets the
	// other fields.
	Record edgelens.Record
	// Times are the capture times, by the device's clock; nil where records of its kind
	// have no time. A time that is expected and missing is Absent.
	Times []clock.Reading
	// Undecoded is set where it has text in an unknown character set. The bytes are in
	// Record.Verdict.
	Undecoded bool
	// FormerKey is the Record.Key of earlier versions, by which a record is recognized
	// that one of them received.
	FormerKey string
	// Repeats is set where records of its kind have nothing but their image: the same
	// image some time later is another record.
	Repeats bool
	// Image is the encoded image; nil for none. It may share memory with the payload,
	// which must not be changed as long as it is in use.
	Image []byte
	// Acks are sent once the record is stored, and again for each repetition.
	Acks []Outgoing
}

// Outcome is a device's reply to a command.
type Outcome struct {
	// Command is the id that Dialect.Command was given, or what the device sends in its
	// place (at most 128 bytes); empty where it refers to no command.
	Command string
	// Name is the device's own name of the command.
	Name string
	// OK reports success.
	OK bool
	// Detail is the device's text; at most 200 bytes.
	Detail string
}

// Outgoing is a message to a device. It is never retained.
type Outgoing struct {
	Topic   string
	Payload []byte
	// QoS is 0 or 1.
	QoS byte
}
