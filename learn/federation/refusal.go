package federation

import (
	"errors"
	"net/http"

	"edgelens"
)

// Reason is why a coordinator refuses a message. It is a label of metrics and stands in receipts; names are never changed.
type Reason string

// The reasons.
const (
	Malformed   Reason = "malformed"    // it cannot be read, or its counts cannot be
	UnknownNode Reason = "unknown_node" // no member has that name
	Unsigned    Reason = "unsigned"
	WrongKey    Reason = "wrong_key" // the signature is by another key than the one pinned to the name
	Replay      Reason = "replay"    // its number is not above the last one, or it is of an earlier round
	Invitation  Reason = "invitation"
	NoTask      Reason = "no_task" // the node was not asked
	Late        Reason = "late"    // after the deadline
	TooLarge    Reason = "too_large"
	WrongOffset Reason = "wrong_offset" // a part of an upload that does not follow the one before
	WrongDigest Reason = "wrong_digest" // what was uploaded is not what was signed
	StaleBase   Reason = "stale_base"   // it was not trained from the head of the round
	NotFinite   Reason = "not_finite"
	WrongShape  Reason = "wrong_shape"
	NormTooHigh Reason = "norm_above_clip"
	NoExamples  Reason = "no_examples"
)

// Reasons returns every reason.
func Reasons() []Reason {
	return []Reason{Malformed, UnknownNode, Unsigned, WrongKey, Replay, Invitation, NoTask, Late, TooLarge, WrongOffset, WrongDigest, StaleBase, NotFinite, WrongShape, NormTooHigh, NoExamples}
}

// Refusal is a message that a coordinator refuses. It is an edgelens.ErrInvalid, ErrUnauthorized, ErrConflict or ErrTooLarge.
type Refusal struct {
	Reason Reason
	// Detail is a clause for people.
	Detail string
}

// Error returns the detail.
func (r *Refusal) Error() string { return "the coordinator refuses it: " + r.Detail }

// Is makes errors.Is work with the sentinel of the reason.
func (r *Refusal) Is(target error) bool { return target == r.sentinel() }

func (r *Refusal) sentinel() error {
	switch r.Reason {
	case UnknownNode, Unsigned, WrongKey, Invitation:
		return edgelens.ErrUnauthorized
	case Replay, NoTask, Late, WrongOffset, StaleBase:
		return edgelens.ErrConflict
	case TooLarge:
		return edgelens.ErrTooLarge
	}
	return edgelens.ErrInvalid
}

// Status returns the status of HTTP.
func (r *Refusal) Status() int {
	switch {
	case errors.Is(r, edgelens.ErrUnauthorized):
		return http.StatusUnauthorized
	case errors.Is(r, edgelens.ErrConflict):
		return http.StatusConflict
	case errors.Is(r, edgelens.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusUnprocessableEntity
}

// RefusalOf returns the Refusal that an error is or stands for: one of a signature, or of a message that cannot be read.
func RefusalOf(err error) *Refusal {
	if refused, ok := errors.AsType[*Refusal](err); ok {
		return refused
	}
	switch {
	case errors.Is(err, ErrUnsigned):
		return &Refusal{Unsigned, "the message is not signed"}
	case errors.Is(err, ErrSignature):
		return &Refusal{WrongKey, "the message is not signed by the key that is pinned to the node; `edgelens federation invite` lets it join anew once it was removed"}
	}
	return &Refusal{Malformed, "the message cannot be read"}
}
