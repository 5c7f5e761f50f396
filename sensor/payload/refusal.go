package payload

import (
	"fmt"

	"edgelens"
)

// Reason is why a message is refused: a label of metrics.
type Reason string

// The reasons of refusals.
const (
	TooLarge   Reason = "too_large"    // the payload is over the limit
	NotText    Reason = "not_text"     // not UTF-8
	Empty      Reason = "empty"        // no payload: it clears a retained message
	NotJSON    Reason = "not_json"     // begins like an object, but is none
	TooDeep    Reason = "too_deep"     // nested too deeply
	TooMany    Reason = "too_many"     // too many values
	NoNumber   Reason = "no_number"    // holds no value
	NotFinite  Reason = "not_finite"   // NaN or infinite
	OutOfRange Reason = "out_of_range" // beyond MaxSensorValue
	BadName    Reason = "bad_name"     // a name is too long, reserved, or has control characters
	NoDevice   Reason = "no_device"    // neither topic nor payload names a device
	Ambiguous  Reason = "ambiguous"    // two values or devices, of which one is meant
	NotSensor  Reason = "not_a_sensor" // a topic of a known system that carries no values
)

// The reasons of refusals about envelopes.
const (
	Envelope    Reason = "envelope"     // it cannot be opened, or is not accepted
	Replay      Reason = "replay"       // it was accepted before
	OtherDevice Reason = "other_device" // its values are of another device than the one that sealed it
	Unsealed    Reason = "unsealed"     // there is none, and the device must seal its values
	Busy        Reason = "busy"         // too many wait to be opened
)

// Reasons returns every reason.
func Reasons() []Reason {
	return []Reason{TooLarge, NotText, Empty, NotJSON, TooDeep, TooMany, NoNumber, NotFinite, OutOfRange, BadName, NoDevice, Ambiguous, NotSensor, Envelope, Replay, OtherDevice, Unsealed, Busy}
}

// Refusal is why a message holds no reading. It is an edgelens.ErrInvalid.
type Refusal struct {
	Reason Reason
	// Sentence is for the user: what is wrong, and where it helps, what to do.
	Sentence string
}

func (r *Refusal) Error() string { return r.Sentence }

// Is makes errors.Is(err, edgelens.ErrInvalid) true.
func (r *Refusal) Is(target error) bool { return target == edgelens.ErrInvalid }

func refuse(reason Reason, format string, args ...any) error {
	return &Refusal{Reason: reason, Sentence: fmt.Sprintf(format, args...)}
}
