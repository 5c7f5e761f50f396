package telemetry_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/telemetry"
)

// recognizer calls the test's function.
type recognizer func(req *edgelens.Request) (*edgelens.Result, error)

func (r recognizer) Recognize(_ context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	return r(req)
}

// succeed returns a computed result.
func succeed(req *edgelens.Request) (*edgelens.Result, error) {
	return &edgelens.Result{
		RequestID: req.ID, Model: edgelens.ModelRef{Name: "cats"},
		Predictions: []edgelens.Prediction{{ClassID: 1, Label: "tabby", Probability: .5}},
		Timings:     edgelens.Timings{Queue: time.Millisecond, Decode: time.Millisecond, Preprocess: time.Millisecond, Inference: time.Millisecond, Postprocess: time.Millisecond},
	}, nil
}

// hit returns a result from the cache.
func hit(req *edgelens.Request) (*edgelens.Result, error) {
	r, _ := succeed(req)
	r.Cached, r.Timings = true, edgelens.Timings{}
	return r, nil
}

func fail(err error) recognizer {
	return func(*edgelens.Request) (*edgelens.Result, error) { return nil, err }
}

// observe wraps next as the program does; it knows the models "cats" (the
// default) and "dogs".
func observe(next edgelens.Recognizer, log io.Writer) (*telemetry.Recognizer, *prometheus.Registry) {
	registry := prometheus.NewRegistry()
	logger := telemetry.NewLogger(telemetry.Config{LogLevel: "debug", LogFormat: "json"}, log)
	knows := func(model string) bool { return model == "cats" || model == "dogs" }
	return telemetry.NewRecognizer(next, edgelens.Untraced{}, logger, registry, knows, func() string { return "cats" }), registry
}

// series returns the value of every series of a metric by its labels, "a=b
// c=d"; of a histogram, how many observations it has.
func series(t *testing.T, g prometheus.Gatherer, name string) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			values[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func sum(values map[string]float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

func TestCacheResultsAddUpToRequests(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	outcomes := []recognizer{succeed, hit, fail(errors.New("boom"))}
	for _, sentinel := range edgelens.Sentinels() {
		outcomes = append(outcomes, fail(fmt.Errorf("serve: %w", sentinel)))
	}
	var next recognizer
	r, registry := observe(recognizer(func(req *edgelens.Request) (*edgelens.Result, error) { return next(req) }), io.Discard)
	const requests = 500
	want := map[string]float64{}
	for range requests {
		next = outcomes[random.IntN(len(outcomes))]
		req := &edgelens.Request{
			Source:  []string{"http", "cli"}[random.IntN(2)],
			Model:   []string{"", "cats", "dogs", "made up"}[random.IntN(4)],
			NoCache: random.IntN(4) == 0,
		}
		result, err := r.Recognize(t.Context(), req)
		wantResult, wantErr := next(req)
		if !errors.Is(err, wantErr) || (result == nil) != (wantResult == nil) {
			t.Fatalf("result %v, error %v: not those of what it wraps", result, err)
		}
		switch {
		case req.NoCache:
			want["result=bypass"]++
		case result != nil && result.Cached:
			want["result=hit"]++
		default:
			want["result=miss"]++
		}
	}
	cache := series(t, registry, "edgelens_cache_requests_total")
	for result, n := range want {
		if cache[result] != n {
			t.Errorf("%s: %v, want %v", result, cache[result], n)
		}
	}
	for name, total := range map[string]float64{
		"edgelens_cache_requests_total": sum(cache),
		"edgelens_requests_total":       sum(series(t, registry, "edgelens_requests_total")),
		"edgelens_request_seconds":      sum(series(t, registry, "edgelens_request_seconds")),
	} {
		if total != requests {
			t.Errorf("%s adds up to %v, want %d", name, total, requests)
		}
	}
}

func TestCacheMetricsExistFromStart(t *testing.T) {
	_, registry := observe(recognizer(succeed), io.Discard)
	if got := series(t, registry, "edgelens_cache_requests_total"); len(got) != 3 || sum(got) != 0 {
		t.Errorf("series %v, want hit, miss and bypass at 0", got)
	}
}

func TestLabels(t *testing.T) {
	type test struct {
		next  recognizer
		model string
		want  string
	}
	unknown := fail(fmt.Errorf("%w: made up", edgelens.ErrUnknownModel))
	tests := map[string]test{
		"default model":               {succeed, "", "model=cats outcome=ok source=http"},
		"named model":                 {succeed, "cats", "model=cats outcome=ok source=http"},
		"hit":                         {hit, "cats", "model=cats outcome=ok source=http"},
		"made up":                     {unknown, "made up", "model=unknown outcome=unknown_model source=http"},
		"made up, refused before":     {fail(edgelens.ErrNoImage), "made up", "model=unknown outcome=no_image source=http"},
		"failure of a known model":    {fail(edgelens.ErrInference), "dogs", "model=dogs outcome=inference_failed source=http"},
		"failure of the default":      {fail(edgelens.ErrBadImage), "", "model=cats outcome=bad_image source=http"},
		"busy that knows till when":   {fail(&edgelens.Busy{RetryAfter: 1}), "", "model=cats outcome=busy source=http"},
		"an error that is not a code": {fail(errors.New("boom")), "", "model=cats outcome=internal source=http"},
	}
	for _, sentinel := range edgelens.Sentinels() {
		code := edgelens.Code(sentinel)
		tests[code] = test{fail(fmt.Errorf("serve: %w", sentinel)), "cats", "model=cats outcome=" + code + " source=http"}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, registry := observe(test.next, io.Discard)
			_, _ = r.Recognize(t.Context(), &edgelens.Request{Source: "http", Model: test.model})
			got := series(t, registry, "edgelens_requests_total")
			if len(got) != 1 || got[test.want] != 1 {
				t.Errorf("series %v, want %q alone", got, test.want)
			}
		})
	}
}

func TestStagesOfUncachedRequests(t *testing.T) {
	tests := map[string]struct {
		next recognizer
		want float64
	}{
		"computed": {succeed, 1},
		"cached":   {hit, 0},
		"failed":   {fail(edgelens.ErrBadImage), 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, registry := observe(test.next, io.Discard)
			_, _ = r.Recognize(t.Context(), &edgelens.Request{Source: "http"})
			got := series(t, registry, "edgelens_stage_seconds")
			for _, stage := range []string{"queue", "decode", "preprocess", "inference", "postprocess"} {
				if n := got["model=cats stage="+stage]; n != test.want {
					t.Errorf("%s: %v observations, want %v", stage, n, test.want)
				}
			}
			if want := 5 * test.want; sum(got) != want {
				t.Errorf("%v observations in all, want %v", sum(got), want)
			}
		})
	}
}

// A rated image has an additional stage, its verdict in the log line, and a count, also from the cache.
func TestQualityIsLoggedAndCounted(t *testing.T) {
	rated := func(req *edgelens.Request) (*edgelens.Result, error) {
		r, err := succeed(req)
		r.Quality, r.Timings.Quality = &edgelens.Quality{Verdict: edgelens.QualityDark, Score: .75}, time.Millisecond
		return r, err
	}
	var log bytes.Buffer
	r, registry := observe(recognizer(rated), &log)
	for range 2 {
		_, _ = r.Recognize(t.Context(), &edgelens.Request{Source: "mqtt"})
	}
	if n := series(t, registry, "edgelens_stage_seconds")["model=cats stage=quality"]; n != 2 {
		t.Errorf("%v observations of its stage, want 2", n)
	}
	if got := series(t, registry, "edgelens_quality_total"); len(got) != 1 || got["verdict=dark"] != 2 {
		t.Errorf("counted %v, want 2 dark", got)
	}
	if want := `"quality":"dark","quality_score":0.75`; strings.Count(log.String(), want) != 2 {
		t.Errorf("want %s in each line of\n%s", want, &log)
	}
}

func TestOneLogLine(t *testing.T) {
	tests := map[string]struct {
		next  recognizer
		level string
		want  map[string]any
	}{
		"computed":    {succeed, "INFO", map[string]any{"outcome": "ok", "cache": "miss", "top": "tabby", "probability": .5, "model": "cats"}},
		"cached":      {hit, "INFO", map[string]any{"outcome": "ok", "cache": "hit", "top": "tabby"}},
		"no image":    {fail(edgelens.ErrNoImage), "INFO", map[string]any{"outcome": "no_image", "cache": "miss"}},
		"bad image":   {fail(fmt.Errorf("check jpeg: %w", edgelens.ErrBadImage)), "INFO", map[string]any{"outcome": "bad_image", "error": "check jpeg: the image cannot be used"}},
		"client left": {fail(edgelens.ErrCanceled), "INFO", map[string]any{"outcome": "canceled"}},
		"busy":        {fail(&edgelens.Busy{Reason: "full"}), "WARN", map[string]any{"outcome": "busy", "error": "full"}},
		"deadline":    {fail(edgelens.ErrDeadline), "WARN", map[string]any{"outcome": "deadline"}},
		"stopping":    {fail(edgelens.ErrStopping), "WARN", map[string]any{"outcome": "not_accepting"}},
		"model":       {fail(edgelens.ErrModel), "ERROR", map[string]any{"outcome": "model_unusable"}},
		"inference":   {fail(edgelens.ErrInference), "ERROR", map[string]any{"outcome": "inference_failed"}},
		"not ours":    {fail(errors.New("boom")), "ERROR", map[string]any{"outcome": "internal", "error": "boom"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r, _ := observe(test.next, &log)
			_, _ = r.Recognize(t.Context(), &edgelens.Request{ID: "the-id", Source: "http", Image: make([]byte, 1234)})
			if n := bytes.Count(log.Bytes(), []byte("\n")); n != 1 {
				t.Fatalf("%d lines, want 1:\n%s", n, &log)
			}
			var line map[string]any
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("%v: %s", err, &log)
			}
			test.want["level"], test.want["msg"], test.want["request_id"] = test.level, "recognize", "the-id"
			test.want["source"], test.want["bytes"] = "http", 1234.0
			for key, want := range test.want {
				if line[key] != want {
					t.Errorf("%s: %v, want %v", key, line[key], want)
				}
			}
			if ms, ok := line["ms"].(float64); !ok || ms < 0 {
				t.Errorf("ms: %v", line["ms"])
			}
		})
	}
}

func TestErrorWithLineBreaksIsOneLogLine(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var log bytes.Buffer
		logger := telemetry.NewLogger(telemetry.Config{LogLevel: "info", LogFormat: format}, &log)
		next := fail(fmt.Errorf("%w: \"x\"\nlevel=ERROR msg=\"made up\"\r\n", edgelens.ErrUnknownModel))
		r := telemetry.NewRecognizer(next, edgelens.Untraced{}, logger, prometheus.NewRegistry(), func(string) bool { return false }, func() string { return "" })
		_, _ = r.Recognize(t.Context(), &edgelens.Request{ID: "the\nid", Model: "x\nlevel=ERROR"})
		if n := bytes.Count(log.Bytes(), []byte("\n")); n != 1 {
			t.Errorf("%s: %d lines, want 1:\n%s", format, n, &log)
		}
	}
}

func TestImageIsNeverLogged(t *testing.T) {
	mark := []byte("\xff\xd8\xff\xe0 RECOGNIZABLE-IMAGE-BYTES ")
	image := bytes.Repeat(mark, 40)
	var traces [][]byte
	for shift := range 3 { // base64 of the same bytes depends on where they start
		encoded := base64.RawStdEncoding.EncodeToString(image[shift:])
		traces = append(traces, []byte(encoded[4:24]), []byte(base64.RawURLEncoding.EncodeToString(image[shift:])[4:24]))
	}
	traces = append(traces, []byte("RECOGNIZABLE"), []byte("IMAGE-BYTES"), []byte(hex.EncodeToString(mark[4:12])), []byte("[255 216 255"))
	for name, next := range map[string]recognizer{"computed": succeed, "cached": hit, "failed": fail(edgelens.ErrBadImage), "internal": fail(errors.New("boom"))} {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"text", "json"} {
				var log bytes.Buffer
				logger := telemetry.NewLogger(telemetry.Config{LogLevel: "debug", LogFormat: format}, &log)
				r := telemetry.NewRecognizer(next, edgelens.Untraced{}, logger, prometheus.NewRegistry(), func(string) bool { return true }, func() string { return "cats" })
				_, _ = r.Recognize(t.Context(), &edgelens.Request{ID: "the-id", Source: "http", Image: image})
				for _, trace := range traces {
					if bytes.Contains(log.Bytes(), trace) {
						t.Errorf("%s: the log contains %q of the image:\n%s", format, trace, &log)
					}
				}
				if !bytes.Contains(log.Bytes(), []byte("the-id")) {
					t.Errorf("%s: the log lacks the request id:\n%s", format, &log)
				}
			}
		})
	}
}

func TestLevelsFilter(t *testing.T) {
	tests := map[string]struct{ want []slog.Level }{
		"debug": {[]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}},
		"info":  {[]slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError}},
		"warn":  {[]slog.Level{slog.LevelWarn, slog.LevelError}},
		"error": {[]slog.Level{slog.LevelError}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			logger := telemetry.NewLogger(telemetry.Config{LogLevel: name, LogFormat: "text"}, io.Discard)
			var got []slog.Level
			for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
				if logger.Enabled(t.Context(), level) {
					got = append(got, level)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("enabled %v, want %v", got, test.want)
			}
		})
	}
}

func BenchmarkRecognize(b *testing.B) {
	r, _ := observe(recognizer(hit), io.Discard)
	req := &edgelens.Request{ID: "the-id", Source: "http", Image: make([]byte, 1<<16)}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.Recognize(b.Context(), req)
	}
}
