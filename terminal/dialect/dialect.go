// Package dialect is the contract between the MQTT face and what one family of
// terminals speaks. A dialect only translates: it keeps no state, opens nothing
// and waits for nothing, so that it can be tested with bytes alone. What is done
// with a message (dedup, order, answers, commands) is package terminal's.
//
// Messages come from whatever is on the network. A dialect must take any bytes
// on any topic without panic and in memory bounded by the message's own size,
// be tolerant of what real firmware does (numbers as strings and strings as
// numbers, missing and unknown fields), and never throw a record away because
// its image is bad: the verdict alone is worth an event.
package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
)

// ErrMalformed: the bytes are no message of the dialect. Its text, which wraps
// it, is for a log: it quotes no payload.
var ErrMalformed = errors.New("the message is malformed")

// ErrNotJSON, an ErrMalformed: the bytes are no object in JSON, as they ought to be.
var ErrNotJSON = fmt.Errorf("%w: it is not JSON", ErrMalformed)

// ErrNoSuchCommand: the dialect cannot say that to a terminal; the text says
// what it can.
var ErrNoSuchCommand = errors.New("the command cannot be sent")

// A Dialect is what one family of terminals speaks. Implementations are safe
// for use by many goroutines.
type Dialect interface {
	// Name is short and stable: "fungxi".
	Name() string
	// Subscriptions returns the topic filters of everything that its devices
	// say.
	Subscriptions() []Subscription
	// Match reports whether a message on the topic is of this dialect, and the
	// serial number of the device where the topic tells it. A topic of the
	// dialect with a serial number that ValidDevice refuses matches with none:
	// Decode says what is wrong.
	Match(topic string) (device string, ok bool)
	// Decode reads a message on a topic that Match accepted. Errors: ErrMalformed, and
	// ErrNotJSON for what wire.Decode may read leniently.
	Decode(topic string, payload []byte, hints Hints) (Message, error)
	// Command translates a command for a device. id is ours, for replies to
	// refer to; body is what the caller sent. Errors: ErrNoSuchCommand, also
	// for a device that ValidDevice refuses.
	Command(device, id string, body json.RawMessage, now time.Time) (Outgoing, error)
	// Topics returns what a device says something on and hears something on, for
	// a broker's rules.
	Topics(device string) (writes, reads []string)
	// Policy is how its devices show that they live.
	// Downlink reports whether a topic is one that devices of the dialect read, so that
	// what comes on it was published by edgelens, or in its place.
	Downlink(topic string) bool
	Policy() Policy
}

// Hints are what is known beside a message.
type Hints struct {
	// ReceivedAt is now, in the zone of the device where the topic tells which it is:
	// answers that tell the time tell that.
	ReceivedAt time.Time
	// Charset is the character set of the device's texts that are not UTF-8, as
	// charset.Find takes it; empty where it is not known.
	Charset string
}

// Subscription is a topic filter.
type Subscription struct {
	Filter string
	// Everywhere is set for what each of several nodes that share the load must
	// hear: answers to commands, which any of them may have sent.
	Everywhere bool
}

// Policy is how devices of a dialect show that they live.
type Policy struct {
	// Heartbeat is how often they are due to be heard from; 0 where they say
	// something only when there is something to say.
	Heartbeat time.Duration
	// OfflineAfter is how long a silent device is taken for being there; 0 where
	// silence says nothing.
	OfflineAfter time.Duration
}

// Kind is what a message is.
type Kind int

// The kinds of messages.
const (
	// Unknown: well formed, and nothing that the dialect knows: kept count of,
	// for whoever supports new firmware.
	Unknown Kind = iota
	// Heartbeat: the device lives.
	Heartbeat
	// Online: the device has come up.
	Online
	// Offline: the device has gone, or its broker says so for it.
	Offline
	// Records: there are entries, perhaps none.
	Records
	// Reply: the device answers a command.
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
	// Device is its serial number, which ValidDevice takes; empty where the
	// message does not tell.
	Device string
	// Name is the device's own word for the message, such as "heartU"; at most
	// 64 bytes of printable ASCII.
	Name string
	// Answers are due at once, before anything else is done: they confirm
	// nothing but that somebody listens.
	Answers []Outgoing
	// Times are when a message of kind Heartbeat was sent, by the device's clock;
	// nil where its kind has no time.
	Times []clock.Reading
	// Entries are the records in a message of kind Records.
	Entries []Entry
	// LeftOut is how many parts of the message are no records, or are beyond those that
	// are taken.
	LeftOut int
	// Outcome is set in a message of kind Reply. A device that confirms one of
	// our acknowledgements replies, too: such an Outcome names no command.
	Outcome *Outcome
}

// Entry is one record in a message.
type Entry struct {
	// Record has Kind, Key, Passed, Doubt, Person, Verdict and, where an image was due
	// and could not be read, Reason; where the message itself says that it is not
	// sent at once, or cannot be understood to be, Freshness and FreshnessReason.
	// The rest is filled in by who receives it.
	Record edgelens.Record
	// Times are when it was captured, by the device's clock; nil where records of
	// its kind have no time by nature. One that is due and missing is Absent.
	Times []clock.Reading
	// Undecoded says that it has text in a character set that is not known. The bytes
	// are in Record.Verdict.
	Undecoded bool
	// FormerKey is what earlier versions had for Record.Key, by which a record is
	// recognized that came to one of them.
	FormerKey string
	// Repeats is set where records of its kind have nothing but their image: the same
	// image is another record where it comes again later.
	Repeats bool
	// Image is the encoded image; nil for none. It may lie in the payload,
	// which must not be changed as long as it is in use.
	Image []byte
	// Acks are due as soon as the record is durable, and again whenever it
	// comes again.
	Acks []Outgoing
}

// Outcome is what a device said of a command.
type Outcome struct {
	// Command is the id that Dialect.Command was given, or what the device has
	// in its place (at most 128 bytes); empty where it refers to no command.
	Command string
	// Name is the command's, in the device's words.
	Name string
	// OK reports success.
	OK bool
	// Detail is what the device said; at most 200 bytes.
	Detail string
}

// Outgoing is a message to a device. It is never retained.
type Outgoing struct {
	Topic   string
	Payload []byte
	// QoS is 0 or 1.
	QoS byte
}
