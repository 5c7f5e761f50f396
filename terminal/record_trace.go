package terminal

import (
	"log/slog"
	"time"

	"edgelens"
)

// recordSpan is the span of a record's reception, a part of the trace that the device's message names, if any.
type recordSpan struct {
	keeper        *recordKeeper
	record        *edgelens.Record
	parent        edgelens.Trace
	recorded      bool
	began, stored time.Time
}

// beginSpan begins the span of a record's reception, of which its job and its deliveries are parts.
func (k *recordKeeper) beginSpan(msg item, reception *edgelens.Reception) recordSpan {
	s := recordSpan{keeper: k, record: &reception.Record, parent: msg.Trace, began: msg.receivedAt, stored: k.now()}
	s.record.Trace, s.recorded = k.tracer.Begin(msg.Trace)
	return s
}

// end records the span, and that of the transaction that stored the record with its rows in the outbox.
func (s recordSpan) end(outcome kept) {
	if !s.recorded {
		return
	}
	now, tracer := s.keeper.now(), s.keeper.tracer
	if trace, recorded := tracer.Begin(s.record.Trace); recorded {
		tracer.Record(edgelens.Span{Trace: trace, Parent: s.record.Trace, Name: "publish", Start: s.stored, End: now})
	}
	tracer.Record(edgelens.Span{
		Trace: s.record.Trace, Parent: s.parent, Name: "record", Kind: edgelens.SpanConsumer, Start: s.began, End: now,
		Attributes: []slog.Attr{
			slog.String("edgelens.record", s.record.ID), slog.String("edgelens.device", s.record.Device), slog.String("edgelens.dialect", s.record.Dialect),
			slog.String("edgelens.kind", s.record.Kind), slog.String("edgelens.freshness", string(s.record.Freshness)), slog.String("edgelens.outcome", outcome.String()),
		},
	})
}

// logRecord writes the line of a record.
func (k *recordKeeper) logRecord(r edgelens.Record, outcome kept) {
	attributes := []any{
		"device", r.Device, "dialect", r.Dialect, "kind", r.Kind, "record", r.ID, "bytes", r.ImageBytes,
		"freshness", r.Freshness, "freshness_reason", r.FreshnessReason, "outcome", outcome,
	}
	if id := r.Trace.ID(); id != "" {
		attributes = append(attributes, "trace_id", id)
	}
	k.log.Info("record", attributes...)
}
