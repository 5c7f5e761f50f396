package edgelens

import (
	"encoding/json"
	"time"
)

// DeviceState says what may come of what a device reports.
type DeviceState string

// The states of a device.
const (
	// DeviceAccepted: its records are told to everyone who should know.
	DeviceAccepted DeviceState = "accepted"
	// DeviceQuarantined: its records are kept, and told once it is accepted.
	DeviceQuarantined DeviceState = "quarantined"
	// DeviceRefused: what it says is counted and dropped.
	DeviceRefused DeviceState = "refused"
)

// Device is a terminal or camera.
type Device struct {
	// ID is its serial number.
	ID string
	// Dialect is what it speaks.
	Dialect string
	State   DeviceState
	// Online is false once it has been silent for longer than its dialect lets
	// it, or has said that it goes.
	Online bool
	// FirstSeen and LastSeen are when it was heard from.
	FirstSeen, LastSeen time.Time
	// Counters count its messages since it was first seen.
	Counters DeviceCounters
	// Settings are the operator's for this device.
	Settings DeviceSettings
	// Clock is what was measured of its clock since this process started; it is not
	// kept.
	Clock DeviceClock
	// NotUnderstood is what was not understood of it since this process started, the
	// latest first; it is not kept.
	NotUnderstood []NotUnderstood
}

// NotUnderstood is something that was not understood of the messages on a topic.
type NotUnderstood struct {
	Topic string
	// Dialect and Device are empty where the topic does not tell.
	Dialect, Device string
	// Reason says in a sentence what was not understood.
	Reason string
	// Count is how often that was, between First and Last.
	Count       int64
	First, Last time.Time
	// Excerpt is how the last such message begins, without what may be personal: see
	// docs/terminals.md.
	Excerpt string
}

// DeviceSettings are what an operator sets for one device. The zero value leaves
// everything to the settings of the site.
type DeviceSettings struct {
	// Zone is the time zone of its clock, as in "Europe/Berlin" or "+08:00"; empty
	// for that of the site.
	Zone string `json:"zone,omitempty"`
	// ApplyClockOffset has the times of its records put right by the measured offset
	// of its clock.
	ApplyClockOffset bool `json:"apply_clock_offset,omitempty"`
	// Charset is the character set of its texts that are not UTF-8, as in "gb18030";
	// empty for none that is known.
	Charset string `json:"charset,omitempty"`
}

// DeviceClock is what was measured of a device's clock.
type DeviceClock struct {
	// Offset is by how much it is ahead of ours; negative for behind. It means
	// nothing where Samples is 0.
	Offset time.Duration
	// Samples is how many messages it was measured from, the last few.
	Samples int
	// Problem says in sentences what is wrong with it and what to set; empty where
	// nothing is known to be.
	Problem string
}

// DeviceChange is what is to change of a device; nil for what is not.
type DeviceChange struct {
	State            *DeviceState
	Zone             *string
	ApplyClockOffset *bool
	Charset          *string
}

// DeviceCounters count what a device has said.
type DeviceCounters struct {
	Heartbeats int64 `json:"heartbeats"`
	Records    int64 `json:"records"`
	Duplicates int64 `json:"duplicates"`
	Unknown    int64 `json:"unknown"`
	Malformed  int64 `json:"malformed"`
	// Lost counts records that could not be made durable.
	Lost int64 `json:"lost"`
	// Repaired counts messages that are not JSON and were read leniently, Empty those
	// without anything in them, WithoutRecords those that ought to have a record and
	// have none, LeftOut parts of messages that are no records or beyond those that are
	// taken, and UndecodedTexts records with text in a character set that is not known.
	Repaired       int64 `json:"repaired,omitempty"`
	Empty          int64 `json:"empty,omitempty"`
	WithoutRecords int64 `json:"without_records,omitempty"`
	LeftOut        int64 `json:"left_out,omitempty"`
	UndecodedTexts int64 `json:"undecoded_texts,omitempty"`
	// UncertainVerdicts counts records with a verdict of which some part is not
	// understood: they have not passed.
	UncertainVerdicts int64 `json:"uncertain_verdicts,omitempty"`
	// The times of its records that prove nothing: missing; not readable, or
	// several that disagree; ahead of ours; fitting two moments or none;
	// contradicting the measured offset of its clock.
	MissingTimes       int64 `json:"missing_times,omitempty"`
	UnreadableTimes    int64 `json:"unreadable_times,omitempty"`
	FutureTimes        int64 `json:"future_times,omitempty"`
	AmbiguousTimes     int64 `json:"ambiguous_times,omitempty"`
	ContradictingTimes int64 `json:"contradicting_times,omitempty"`
	// UnknownNames counts the unknown messages by the device's word for them.
	UnknownNames map[string]int64 `json:"unknown_names,omitempty"`
}

// CommandStatus says how far a command is. Three of the states are terminal.
type CommandStatus string

// The states of a command.
const (
	CommandQueued       CommandStatus = "queued"       // waits for the broker
	CommandSent         CommandStatus = "sent"         // the broker has it; the device has not answered
	CommandAcknowledged CommandStatus = "acknowledged" // terminal: the device has done it
	CommandFailed       CommandStatus = "failed"       // terminal: the device refused it, or it could not be sent
	CommandExpired      CommandStatus = "expired"      // terminal: not sent by its deadline, and never will be
)

// Terminal reports whether a command in this state is done with. A command that
// was sent to a device which never answers stays CommandSent.
func (s CommandStatus) Terminal() bool {
	return s == CommandAcknowledged || s == CommandFailed || s == CommandExpired
}

// Command is something a device is to do.
type Command struct {
	// ID is a UUIDv7.
	ID     string
	Device string
	// Body is a JSON object in the device's words.
	Body   json.RawMessage
	Status CommandStatus
	// Detail says more in a sentence, where there is more to say.
	Detail    string
	CreatedAt time.Time
	// Deadline is when it is not sent any more.
	Deadline time.Time
	// SentAt and FinishedAt are zero until then.
	SentAt, FinishedAt time.Time
}
