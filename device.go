package edgelens

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// DeviceState is what happens to the records of a device.
type DeviceState string

// The states of a device.
const (
	// DeviceAccepted: its records are delivered to all sinks.
	DeviceAccepted DeviceState = "accepted"
	// DeviceQuarantined: its records are kept, and delivered once it is accepted.
	DeviceQuarantined DeviceState = "quarantined"
	// DeviceRefused: its messages are counted and dropped.
	DeviceRefused DeviceState = "refused"
)

// Device is a terminal or camera.
type Device struct {
	// ID is its serial number.
	ID string
	// Dialect is the protocol it speaks.
	Dialect string
	State   DeviceState
	// Online is false once it has been silent for longer than its dialect allows,
	// or has announced that it is going offline.
	Online bool
	// FirstSeen and LastSeen are the times of its first and latest message.
	FirstSeen, LastSeen time.Time
	// Counters count its messages since it was first seen.
	Counters DeviceCounters
	// Settings are those that an operator set for this device.
	Settings DeviceSettings
	// Clock is what was measured of its clock since this process started; it is not
	// stored.
	Clock DeviceClock
	// NotUnderstood lists its messages that were not understood since this process
	// started, the latest first; it is not stored.
	NotUnderstood []NotUnderstood
}

// NotUnderstood is a kind of message on a topic that was not understood.
type NotUnderstood struct {
	Topic string
	// Dialect and Device are empty where the topic does not identify them.
	Dialect, Device string
	// Reason is a sentence about what was not understood.
	Reason string
	// Count is how often it occurred, between First and Last.
	Count       int64
	First, Last time.Time
	// Excerpt is the beginning of the last such message, without personal data: see
	// docs/terminals.md.
	Excerpt string
}

// DeviceSettings are what an operator sets for one device. The zero value means
// the settings of the site.
type DeviceSettings struct {
	// Zone is the time zone of its clock, as in "Europe/Berlin" or "+08:00"; empty
	// for that of the site.
	Zone string `json:"zone,omitempty"`
	// ApplyClockOffset corrects the times of its records by the measured offset of
	// its clock.
	ApplyClockOffset bool `json:"apply_clock_offset,omitempty"`
	// Charset is the character set of its texts that are not UTF-8, as in "gb18030";
	// empty if unknown.
	Charset string `json:"charset,omitempty"`
	// DisplayName is its name for people; see CheckDisplayName. Empty for none.
	DisplayName string `json:"display_name,omitempty"`
	// Fit and Region are the View of its images; what is empty the model or the
	// service decides.
	Fit    Fit    `json:"fit,omitempty"`
	Region Region `json:"region,omitzero"`
	// SealedOnly refuses its messages that are not in an envelope signed by its key.
	SealedOnly bool `json:"sealed_only,omitempty"`
}

// maxDeviceID is the maximum length of a device's id in bytes.
const maxDeviceID = 64

// ValidDeviceID reports whether an id of a device is accepted: 1 to 64 of A-Z a-z 0-9 . _ : - and nothing else, but neither
// "." nor "..", which cannot be in a path of HTTP (RFC 3986, 5.2.4). Ids become parts of topics, where "/", "+" and "#"
// have a meaning, of log lines, keys and certificates.
func ValidDeviceID(id string) bool {
	if id == "" || len(id) > maxDeviceID || id == "." || id == ".." {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

// MaxDisplayName is the maximum length of a display name in characters.
const MaxDisplayName = 80

// CheckDisplayName returns an ErrInvalid for a name that is too long or not printable. A name is text and nothing else:
// it must be escaped where it is shown, and no control character of it can move a cursor or reverse the direction of
// writing.
func CheckDisplayName(name string) error {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxDisplayName || name != strings.TrimSpace(name) {
		return fmt.Errorf("%w: display_name must have at most %d characters, without blanks around it", ErrInvalid, MaxDisplayName)
	}
	for _, r := range name {
		// Joiners are part of scripts and of emoji.
		const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
		if r == utf8.RuneError || !unicode.IsPrint(r) && r != zeroWidthNonJoiner && r != zeroWidthJoiner {
			return fmt.Errorf("%w: display_name must have printable characters only, not %U", ErrInvalid, r)
		}
	}
	return nil
}

// View returns the fit and region of the device's images.
func (s DeviceSettings) View() View { return View{Fit: s.Fit, Region: s.Region} }

// DeviceClock is what was measured of a device's clock.
type DeviceClock struct {
	// Offset is by how much it is ahead of our clock; negative for behind. It is
	// undefined where Samples is 0.
	Offset time.Duration
	// Samples is how many of the latest messages the offset was measured from.
	Samples int
	// Problem describes in sentences what is wrong with the clock and what to set;
	// empty if nothing is known to be.
	Problem string
}

// DeviceChange is a change of a device; nil fields stay as they are.
type DeviceChange struct {
	State            *DeviceState
	DisplayName      *string
	Zone             *string
	ApplyClockOffset *bool
	Charset          *string
	Fit              *Fit
	Region           *Region
	SealedOnly       *bool
}

// DeviceCounters count the messages of a device.
type DeviceCounters struct {
	Heartbeats int64 `json:"heartbeats"`
	Records    int64 `json:"records"`
	Duplicates int64 `json:"duplicates"`
	Unknown    int64 `json:"unknown"`
	Malformed  int64 `json:"malformed"`
	// Lost counts records that could not be made durable.
	Lost int64 `json:"lost"`
	// Repaired counts messages that are not JSON and were read leniently, Empty those
	// without content, WithoutRecords those that should have a record and have none,
	// LeftOut parts of messages that are no records or exceed the limit, and
	// UndecodedTexts records with text in an unknown character set.
	Repaired       int64 `json:"repaired,omitempty"`
	Empty          int64 `json:"empty,omitempty"`
	WithoutRecords int64 `json:"without_records,omitempty"`
	LeftOut        int64 `json:"left_out,omitempty"`
	UndecodedTexts int64 `json:"undecoded_texts,omitempty"`
	// Unproven counts messages that were refused because they do not prove to be of the device.
	Unproven int64 `json:"unproven,omitempty"`
	// UncertainVerdicts counts records with a verdict of which some part is not
	// understood: they have not passed.
	UncertainVerdicts int64 `json:"uncertain_verdicts,omitempty"`
	// The times of its records that prove nothing: missing; unreadable, or several
	// that disagree; ahead of our clock; fitting two instants or none; contradicting
	// the measured offset of its clock.
	MissingTimes       int64 `json:"missing_times,omitempty"`
	UnreadableTimes    int64 `json:"unreadable_times,omitempty"`
	FutureTimes        int64 `json:"future_times,omitempty"`
	AmbiguousTimes     int64 `json:"ambiguous_times,omitempty"`
	ContradictingTimes int64 `json:"contradicting_times,omitempty"`
	// UnknownNames counts the unknown messages by the device's name for them.
	UnknownNames map[string]int64 `json:"unknown_names,omitempty"`
}
