package edgelens

import (
	"encoding/hex"
	"log/slog"
	"strings"
	"time"
)

// Trace identifies a span of a distributed trace, as the header traceparent of W3C Trace Context does, in its version 00:
// "00-", the trace's id, "-", the span's id, "-", flags. Empty for none. It is stored and sent in this form.
type Trace string

// The parts of a Trace.
const (
	traceBytes  = 55
	traceIDAt   = 3
	traceSpanAt = 36
	traceFlags  = 53
	// traceSampled is the flag of a trace that is recorded.
	traceSampled = 1
)

// ParseTrace returns what a traceparent header has: of a later version, the part that version 00 defines. It is empty
// where the header is invalid, which means that it is to be ignored.
func ParseTrace(text string) Trace {
	version, _, _ := strings.Cut(text, "-")
	switch {
	case len(text) < traceBytes || len(version) != 2 || version == "ff":
		return ""
	case len(text) > traceBytes && (version == "00" || text[traceBytes] != '-'):
		return ""
	case text[traceSpanAt-1] != '-' || text[traceFlags-1] != '-':
		return ""
	}
	id, span, flags := text[traceIDAt:traceSpanAt-1], text[traceSpanAt:traceFlags-1], text[traceFlags:traceBytes]
	if !isLowerHex(version) || !isLowerHex(id) || !isLowerHex(span) || !isLowerHex(flags) || isZero(id) || isZero(span) {
		return ""
	}
	sampled := "00"
	if unhex(flags[1])&traceSampled != 0 {
		sampled = "01"
	}
	if version == "00" && flags == sampled {
		return Trace(text)
	}
	return Trace("00-" + id + "-" + span + "-" + sampled)
}

// NewTrace returns the Trace of a span, whose ids must not be zero.
func NewTrace(id [16]byte, span [8]byte, sampled bool) Trace {
	text := make([]byte, 0, traceBytes)
	text = append(text, "00-"...)
	text = hex.AppendEncode(text, id[:])
	text = append(text, '-')
	text = hex.AppendEncode(text, span[:])
	if sampled {
		return Trace(append(text, "-01"...))
	}
	return Trace(append(text, "-00"...))
}

// Of returns another span of the same trace, which must not be empty.
func (t Trace) Of(span [8]byte) Trace {
	text := make([]byte, 0, traceBytes)
	text = append(text, t[:traceSpanAt]...)
	text = hex.AppendEncode(text, span[:])
	return Trace(append(text, t[traceFlags-1:]...))
}

// ID returns the trace's id in 32 hexadecimal digits; empty for none.
func (t Trace) ID() string {
	if len(t) != traceBytes {
		return ""
	}
	return string(t[traceIDAt : traceSpanAt-1])
}

// Span returns the span's id in 16 hexadecimal digits; empty for none.
func (t Trace) Span() string {
	if len(t) != traceBytes {
		return ""
	}
	return string(t[traceSpanAt : traceFlags-1])
}

// Sampled reports whether the trace is recorded, by who began it.
func (t Trace) Sampled() bool { return len(t) == traceBytes && t[traceBytes-1] == '1' }

func isLowerHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isZero(digits string) bool { return strings.Trim(digits, "0") == "" }

func unhex(digit byte) byte {
	if digit <= '9' {
		return digit - '0'
	}
	return digit - 'a' + 10
}

// SpanKind is the role of a span among those of other programs.
type SpanKind string

// The kinds of spans.
const (
	SpanInternal SpanKind = ""         // a part of the work of this program
	SpanServer   SpanKind = "server"   // answers a request
	SpanClient   SpanKind = "client"   // sends a request
	SpanProducer SpanKind = "producer" // sends a message
	SpanConsumer SpanKind = "consumer" // processes a message or a job
)

// Span is a piece of work in a trace, recorded once it has ended. It has no image, no key and no secret.
type Span struct {
	// Trace identifies it, Parent the span that it is a part of; empty for the first of a trace.
	Trace, Parent Trace
	Name          string
	Kind          SpanKind
	Start, End    time.Time
	Attributes    []slog.Attr
	// Failure is the code of the error with which it failed; empty for none.
	Failure string
}

// Tracer records spans. It is safe for use by many goroutines, and never blocks.
type Tracer interface {
	// Begin returns the identity of a span that begins as a part of parent, or of a new trace where parent is empty.
	// Where recorded is false, the span is not to be recorded, and its identity may be that of parent: for those parts of
	// the work that others record.
	Begin(parent Trace) (span Trace, recorded bool)
	// Record records a span that has ended.
	Record(span Span)
}

// Untraced is a Tracer that records nothing. It passes the traces of others on.
type Untraced struct{}

// Begin implements Tracer.
func (Untraced) Begin(parent Trace) (Trace, bool) { return parent, false }

// Record implements Tracer.
func (Untraced) Record(Span) {}
