package telemetry

import (
	"log/slog"
	"time"

	"edgelens"
)

// recordSpans records a recognition, and its stages below it.
func (t *Recognizer) recordSpans(span edgelens.Trace, req *edgelens.Request, result *edgelens.Result, err error, model, cached string, start, end time.Time) {
	failure := ""
	if err != nil {
		failure = edgelens.Code(err)
	}
	t.tracer.Record(edgelens.Span{
		Trace: span, Parent: req.Trace, Name: "recognize", Start: start, End: end, Failure: failure,
		Attributes: []slog.Attr{
			slog.String("edgelens.request_id", req.ID), slog.String("edgelens.source", req.Source), slog.String("edgelens.model", model),
			slog.String("edgelens.cache", cached), slog.Int("edgelens.image.bytes", len(req.Image)),
		},
	})
	if err != nil || result.Cached {
		return
	}
	for _, s := range stagesOf(result.Timings, start, end) {
		if trace, recorded := t.tracer.Begin(span); recorded {
			t.tracer.Record(edgelens.Span{Trace: trace, Parent: span, Name: s.name, Start: s.start, End: s.end})
		}
	}
}

// stage is a part of a recognition, and when it was.
type stage struct {
	name       string
	start, end time.Time
}

// stagesOf returns when the stages of a recognition were that was asked for at start and had its result at end. They follow one
// another until the result: before the first, the model was looked up, and loaded where it had to be. A request that joined
// the work of an earlier one has the part of it that it waited for.
func stagesOf(timings edgelens.Timings, start, end time.Time) []stage {
	stages := []stage{
		{name: "admission"}, {name: "decode"}, {name: "preprocess"}, {name: "interpreter"}, {name: "inference"}, {name: "postprocess"}, {name: "quality"},
	}
	took := []time.Duration{
		timings.Admission, timings.Decode, timings.Preprocess, timings.Queue - timings.Admission, timings.Inference, timings.Postprocess, timings.Quality,
	}
	kept := stages[:0]
	at := end
	for i := len(stages) - 1; i >= 0 && at.After(start); i-- {
		if took[i] <= 0 { // a stage that was not needed
			continue
		}
		stages[i].end = at
		if at = at.Add(-took[i]); at.Before(start) {
			at = start
		}
		stages[i].start = at
	}
	for _, s := range stages {
		if !s.end.IsZero() {
			kept = append(kept, s)
		}
	}
	return kept
}
