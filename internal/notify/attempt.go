package notify

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"edgelens"
)

// attempt has the sink deliver an entry, as a span of the trace of its record.
func (r *sinkLoop) attempt(ctx context.Context, d *edgelens.Delivery) error {
	span, recorded := r.tracer.Begin(d.Record.Trace)
	d.Trace, d.Status = span, 0
	began := time.Now()
	err := r.sink.Deliver(ctx, d)
	if !recorded {
		return err
	}
	attributes := []slog.Attr{
		slog.String("edgelens.sink", r.sink.Name()), slog.String("edgelens.record", d.Record.ID), slog.Bool("edgelens.reduced", d.Reduced),
	}
	if d.Status != 0 {
		attributes = append(attributes, slog.Int("http.response.status_code", d.Status))
	}
	r.tracer.Record(edgelens.Span{
		Trace: span, Parent: d.Record.Trace, Name: "delivery", Kind: edgelens.SpanProducer, Start: began, End: time.Now(), Attributes: attributes, Failure: failureOf(d, err),
	})
	return err
}

// failureOf names the error of an attempt: by the sink's status, where it has one.
func failureOf(d *edgelens.Delivery, err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, edgelens.ErrTooLarge):
		return edgelens.Code(edgelens.ErrTooLarge)
	case d.Status != 0:
		return strconv.Itoa(d.Status)
	case errors.Is(err, ErrRejected):
		return "rejected"
	default:
		return "unreachable"
	}
}

// noteTry counts a failed attempt to deliver an entry.
func (d *device) noteTry(seq int64) {
	if d.tried != seq {
		d.tried, d.tries = seq, 0
	}
	d.tries++
}

// logDelivered writes the line of a delivery.
func (r *sinkLoop) logDelivered(d *edgelens.Delivery, attempts int, took time.Duration) {
	outcome := outcomeDelivered
	if d.Reduced {
		outcome = outcomeReduced
	}
	r.log.Info("delivery", append(deliveryAttributes(d, attempts, took), "outcome", outcome)...)
}

// deliveryAttributes describe a delivery in the log, after so many attempts, of which the last took that long.
func deliveryAttributes(d *edgelens.Delivery, attempts int, took time.Duration) []any {
	attributes := []any{"sink", d.Sink, "device", d.Record.Device, "record", d.Record.ID, "attempts", attempts, "ms", took}
	if d.Status != 0 {
		attributes = append(attributes, "status", d.Status)
	}
	if id := d.Record.Trace.ID(); id != "" {
		attributes = append(attributes, "trace_id", id)
	}
	return attributes
}
