package worker

import (
	"log/slog"
	"time"

	"edgelens"
)

// attempt is the span of an attempt at a job, which has begun.
type attempt struct {
	tracer edgelens.Tracer
	job    edgelens.Job
	// trace is that of the attempt's span, if it is recorded.
	trace    edgelens.Trace
	recorded bool
	began    time.Time
}

// beginAttempt begins the span of an attempt, and records for how long the job was queued before its first one. The times of
// another node's job are by its clock.
func (w *Worker) beginAttempt(job edgelens.Job) attempt {
	a := attempt{tracer: w.tracer, job: job, began: time.Now()}
	a.trace, a.recorded = w.tracer.Begin(job.Trace)
	if a.recorded && job.Attempts == 1 && !job.CreatedAt.IsZero() && job.CreatedAt.Before(a.began) {
		a.part("queue", edgelens.SpanInternal, job.CreatedAt, a.began, "")
	}
	return a
}

// end records the span of the attempt, and that of the transaction that published its outcome.
func (a attempt) end(outcome, written error, published time.Time) {
	if !a.recorded {
		return
	}
	now := time.Now()
	failure := ""
	if written != nil && outcome == nil {
		failure = edgelens.Code(written)
	}
	a.part("publish", edgelens.SpanInternal, published, now, failure)
	if outcome != nil {
		failure = edgelens.Code(outcome)
	}
	a.tracer.Record(edgelens.Span{
		Trace: a.trace, Parent: a.job.Trace, Name: "job", Kind: edgelens.SpanConsumer, Start: a.began, End: now, Failure: failure,
		Attributes: []slog.Attr{
			slog.String("edgelens.job", a.job.ID), slog.String("edgelens.record", a.job.Record), slog.String("edgelens.queue", a.job.Queue),
			slog.Int("edgelens.attempt", a.job.Attempts),
		},
	})
}

// part records a span below the attempt's.
func (a attempt) part(name string, kind edgelens.SpanKind, start, end time.Time, failure string) {
	if trace, recorded := a.tracer.Begin(a.trace); recorded {
		a.tracer.Record(edgelens.Span{Trace: trace, Parent: a.trace, Name: name, Kind: kind, Start: start, End: end, Failure: failure})
	}
}
