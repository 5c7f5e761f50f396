package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/loglimit"
)

// Recognizer wraps another one, so that every source has the same histograms and the same log line. It is safe for use
// by many goroutines.
type Recognizer struct {
	next   edgelens.Recognizer
	tracer edgelens.Tracer
	log    *slog.Logger
	// knows reports whether a model has that name: an unknown name of a client must not become a label.
	knows        func(model string) bool
	defaultModel func() string
	// refused counts refusals for the log: there may be thousands a second.
	refused loglimit.Tally
	recent  latencies
	// computed counts the results that a model gave.
	computed atomic.Uint64

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	stages   *prometheus.HistogramVec
	cache    *prometheus.CounterVec
	quality  *prometheus.CounterVec

	// activity and totals are the same for the page, which shows them without Prometheus.
	activity *Activity
	totals   totals
}

// NewRecognizer wraps next and registers its metrics.
func NewRecognizer(next edgelens.Recognizer, tracer edgelens.Tracer, log *slog.Logger, r prometheus.Registerer, knows func(model string) bool, defaultModel func() string) *Recognizer {
	t := &Recognizer{
		next: next, tracer: tracer, log: log, knows: knows, defaultModel: defaultModel, refused: loglimit.Tally{Interval: time.Second}, activity: NewActivity(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_requests_total", Help: "Requested recognitions, by outcome: ok or the error's code.",
		}, []string{"source", "model", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "edgelens_request_seconds", Help: "From the request being read to the result being ready.", Buckets: latencyBuckets,
		}, []string{"source", "model"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "edgelens_stage_seconds", Help: "Duration of the stages of uncached recognitions.", Buckets: latencyBuckets,
		}, []string{"stage", "model"}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_cache_requests_total", Help: "Recognitions by cache result; hits, misses and bypasses add up to the requests.",
		}, []string{"result"}),
		quality: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_quality_total", Help: "Quality verdicts, including those from the cache.",
		}, []string{"verdict"}),
	}
	for _, result := range []string{"hit", "miss", "bypass"} {
		t.cache.WithLabelValues(result)
	}
	r.MustRegister(t.requests, t.seconds, t.stages, t.cache, t.quality)
	return t
}

// Activity returns what the recognitions do, and all others that are counted there.
func (t *Recognizer) Activity() *Activity { return t.activity }

// Computed returns how many results models have given since the start; those of the cache do not count.
func (t *Recognizer) Computed() uint64 { return t.computed.Load() }

// Totals returns the durations of the stages and the use of the cache since the start.
func (t *Recognizer) Totals() ([]edgelens.StageLatency, edgelens.CacheCounts) { return t.totals.read() }

// Recognize implements edgelens.Recognizer.
func (t *Recognizer) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	start := time.Now()
	span, recorded := t.tracer.Begin(req.Trace)
	result, err := t.next.Recognize(ctx, req)
	took := time.Since(start)

	model := t.modelLabel(req, result)
	cached := cacheResult(req, result)
	t.requests.WithLabelValues(req.Source, model, edgelens.Code(err)).Inc()
	t.seconds.WithLabelValues(req.Source, model).Observe(took.Seconds())
	t.cache.WithLabelValues(cached).Inc()
	if err == nil {
		t.recent.add(start.Add(took), took)
	}
	t.totals.noteCache(cached)
	if req.Priority == edgelens.PrioritySynchronous || !isRefusal(err) { // a job that found no slot is tried again
		t.activity.Recognized(took, err)
	}
	if err == nil && !result.Cached {
		t.computed.Add(1)
		t.observeStages(model, result.Timings)
	}
	if err == nil && result.Quality != nil {
		t.quality.WithLabelValues(result.Quality.Verdict).Inc()
	}
	if recorded {
		t.recordSpans(span, req, result, err, model, cached, start, start.Add(took))
	}
	t.logLine(ctx, req, span, result, err, model, cached, took)
	return result, err
}

// cacheResult sorts every request, also a failed one, into exactly one of three results, so that they add up.
func cacheResult(req *edgelens.Request, result *edgelens.Result) string {
	switch {
	case req.NoCache:
		return "bypass"
	case result != nil && result.Cached:
		return "hit"
	default:
		return "miss"
	}
}

func (t *Recognizer) modelLabel(req *edgelens.Request, result *edgelens.Result) string {
	switch {
	case result != nil:
		return result.Model.Name
	case req.Model == "":
		return t.defaultModel()
	case t.knows(req.Model):
		return req.Model
	default:
		return "unknown"
	}
}

func (t *Recognizer) observeStages(model string, timings edgelens.Timings) {
	for _, s := range []struct {
		stage string
		took  time.Duration
	}{
		{"queue", timings.Queue},
		{"decode", timings.Decode},
		{"preprocess", timings.Preprocess},
		{"inference", timings.Inference},
		{"postprocess", timings.Postprocess},
	} {
		t.stages.WithLabelValues(s.stage, model).Observe(s.took.Seconds())
		t.totals.noteStage(s.stage, s.took)
	}
	if timings.Quality > 0 {
		t.stages.WithLabelValues("quality", model).Observe(timings.Quality.Seconds())
		t.totals.noteStage("quality", timings.Quality)
	}
}

func (t *Recognizer) logLine(ctx context.Context, req *edgelens.Request, span edgelens.Trace, result *edgelens.Result, err error, model, cached string, took time.Duration) {
	count, ok := 1, true
	if errors.Is(err, edgelens.ErrBusy) || errors.Is(err, edgelens.ErrStopping) {
		if count, ok = t.refused.Add(edgelens.Code(err), time.Now()); !ok {
			return
		}
	}
	attributes := []slog.Attr{
		slog.String("request_id", req.ID),
		slog.String("source", req.Source),
		slog.String("model", model),
		slog.String("outcome", edgelens.Code(err)),
		slog.Int("bytes", len(req.Image)),
		slog.String("cache", cached),
		slog.Duration("ms", took),
	}
	if req.Owner != "" {
		attributes = append(attributes, slog.String("key", req.Owner))
	}
	if req.Client.IsValid() {
		attributes = append(attributes, slog.String("client", req.Client.String()))
	}
	if req.Record != "" {
		attributes = append(attributes, slog.String("record", req.Record))
	}
	if trace := span.ID(); trace != "" {
		attributes = append(attributes, slog.String("trace_id", trace))
	}
	if err != nil {
		attributes = append(attributes, slog.String("error", err.Error()))
		if count > 1 { // those before, within the same second
			attributes = append(attributes, slog.Int("count", count))
		}
		t.log.LogAttrs(ctx, failureLevel(err), "recognize", attributes...)
		return
	}
	if len(result.Predictions) > 0 {
		best := result.Predictions[0]
		attributes = append(attributes, slog.String("top", best.Label), slog.Float64("probability", best.Probability))
	}
	if q := result.Quality; q != nil {
		attributes = append(attributes, slog.String("quality", q.Verdict), slog.Float64("quality_score", q.Score))
	}
	t.log.LogAttrs(ctx, slog.LevelInfo, "recognize", attributes...)
}

// failureLevel is error for what the operator must investigate, warn for effects of load, info for errors of a client.
func failureLevel(err error) slog.Level {
	switch {
	case errors.Is(err, edgelens.ErrModel), errors.Is(err, edgelens.ErrInference), edgelens.Code(err) == "internal":
		return slog.LevelError
	case errors.Is(err, edgelens.ErrBusy), errors.Is(err, edgelens.ErrDeadline), errors.Is(err, edgelens.ErrStopping):
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
