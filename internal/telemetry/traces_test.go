package telemetry_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protowire"

	"edgelens"
	"edgelens/internal/telemetry"
	"edgelens/internal/telemetry/telemetrytest"
	"edgelens/internal/testutil"
)

// openTraces returns a Traces that is closed with the test.
func openTraces(t testing.TB, config telemetry.TracesConfig, log *slog.Logger) (*telemetry.Traces, *prometheus.Registry) {
	t.Helper()
	metrics := prometheus.NewRegistry()
	traces, err := telemetry.NewTraces(config, telemetry.Service{Version: "1.2.3", Node: "node1"}, log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { traces.Close(t.Context()) })
	return traces, metrics
}

// to is a configuration with an endpoint, of which every trace is recorded.
func to(endpoint string) telemetry.TracesConfig {
	config := telemetry.DefaultTracesConfig()
	config.Endpoint = endpoint
	return config
}

func TestSpansAreSent(t *testing.T) {
	collector := telemetrytest.Start(t)
	config := to(collector.URL)
	config.Headers = "Authorization: Bearer s3cr3t\nX-Tenant: site 1"
	traces, metrics := openTraces(t, config, slog.New(slog.DiscardHandler))
	parent := edgelens.NewTrace([16]byte{1}, [8]byte{2}, true)
	span, recorded := traces.Begin(parent)
	if !recorded || span.ID() != parent.ID() || span.Span() == parent.Span() {
		t.Fatalf("span %q of %q, recorded %v", span, parent, recorded)
	}
	start := time.Now().Truncate(time.Microsecond)
	traces.Record(edgelens.Span{
		Trace: span, Parent: parent, Name: "work", Kind: edgelens.SpanServer, Start: start, End: start.Add(time.Millisecond), Failure: "busy",
		Attributes: []slog.Attr{slog.String("text", "a"), slog.Int("number", 7), slog.Bool("yes", true), slog.Float64("share", 0.5), slog.String("empty", "")},
	})
	got := collector.Await(t, parent, "work")["work"]
	if got.ID != span.Span() || got.Parent != parent.Span() || got.Kind != "SPAN_KIND_SERVER" || !got.Start.Equal(start) || !got.End.Equal(start.Add(time.Millisecond)) || got.Failure != "busy" {
		t.Errorf("received %+v", got)
	}
	for name, want := range map[string]string{"text": "a", "number": "7", "yes": "true", "share": "0.5", "error.type": "busy"} {
		if got.Attributes[name] != want {
			t.Errorf("attribute %s is %q, want %q", name, got.Attributes[name], want)
		}
	}
	if len(got.Attributes) != 5 {
		t.Errorf("attributes %v", got.Attributes)
	}
	for name, want := range map[string]string{"service.name": "edgelens", "service.version": "1.2.3", "service.instance.id": "node1"} {
		if got.Resource[name] != want {
			t.Errorf("resource's %s is %q, want %q", name, got.Resource[name], want)
		}
	}
	request := collector.Requests()[0]
	if request.URL.Path != "/v1/traces" || request.Header.Get("Authorization") != "Bearer s3cr3t" || request.Header.Get("X-Tenant") != "site 1" {
		t.Errorf("sent to %s with %v", request.URL, request.Header)
	}
	testutil.Eventually(t, "it is counted", func() bool { return series(t, metrics, "edgelens_trace_spans_total")["outcome=sent"] == 1 })
}

func TestSampling(t *testing.T) {
	for name, test := range map[string]struct {
		sample   float64
		min, max int
	}{"none": {0, 0, 0}, "half": {0.5, 400, 600}, "all": {1, 1000, 1000}} {
		t.Run(name, func(t *testing.T) {
			config := to("http://127.0.0.1:1")
			config.Sample = test.sample
			traces, _ := openTraces(t, config, slog.New(slog.DiscardHandler))
			n := 0
			for range 1000 {
				span, recorded := traces.Begin("")
				if edgelens.ParseTrace(string(span)) != span || span == "" || span.Sampled() != recorded {
					t.Fatalf("span %q, recorded %v", span, recorded)
				}
				if recorded {
					n++
				}
				if below, also := traces.Begin(span); also != recorded || below.ID() != span.ID() {
					t.Fatalf("a part of %q is %q, recorded %v", span, below, also)
				}
			}
			if n < test.min || n > test.max {
				t.Errorf("%d of 1000 traces recorded, want %d to %d", n, test.min, test.max)
			}
			// Others decide about their traces.
			if _, recorded := traces.Begin(edgelens.NewTrace([16]byte{1}, [8]byte{1}, true)); !recorded {
				t.Error("a trace that its client records is not recorded")
			}
			if _, recorded := traces.Begin(edgelens.NewTrace([16]byte{1}, [8]byte{1}, false)); recorded {
				t.Error("a trace that its client does not record is recorded")
			}
		})
	}
}

// deaf is a collector that accepts connections, and answers nothing.
func deaf(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String()
}

// A collector that is down, or hangs, delays nothing: neither who records spans, nor the stop.
func TestDeadCollector(t *testing.T) {
	for name, endpoint := range map[string]string{"hangs": deaf(t), "refuses connections": "http://" + testutil.FreeAddress(t)} {
		t.Run(name, func(t *testing.T) {
			traces, metrics := openTraces(t, to(endpoint), slog.New(slog.DiscardHandler))
			const spans = 20_000
			begun := time.Now()
			for range spans {
				span, _ := traces.Begin("")
				traces.Record(edgelens.Span{Trace: span, Name: "work"})
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("recording took %v", took)
			}
			begun = time.Now()
			traces.Close(t.Context())
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("closing took %v", took)
			}
			counts := series(t, metrics, "edgelens_trace_spans_total")
			if counts["outcome=dropped"] == 0 || counts["outcome=refused"] == 0 || counts["outcome=sent"] != 0 || sum(counts) != spans {
				t.Errorf("counted %v, want %d spans, none of them sent", counts, spans)
			}
		})
	}
}

func TestCloseSendsWhatWaits(t *testing.T) {
	collector := telemetrytest.Start(t)
	traces, _ := openTraces(t, to(collector.URL), slog.New(slog.DiscardHandler))
	const spans = 1200 // several batches
	for range spans {
		span, _ := traces.Begin("")
		traces.Record(edgelens.Span{Trace: span, Name: "work"})
	}
	traces.Close(t.Context())
	if n := len(collector.Spans("")); n != spans {
		t.Errorf("%d spans received, want %d", n, spans)
	}
	traces.Record(edgelens.Span{Name: "late"})
	traces.Close(t.Context())
}

// partialSuccess is an ExportTraceServiceResponse with a number of rejected spans.
func partialSuccess(rejected uint64) []byte {
	partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), rejected)
	partial = protowire.AppendString(protowire.AppendTag(partial, 2, protowire.BytesType), "too old")
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
}

func TestAnswersOfCollectors(t *testing.T) {
	for name, test := range map[string]struct {
		answer        func(w http.ResponseWriter, request int) bool
		sent, refused float64
		requests      int
	}{
		"it rejects a span": {func(w http.ResponseWriter, _ int) bool {
			_, err := w.Write(partialSuccess(1))
			return err == nil
		}, 2, 1, 1},
		"it rejects more than there are": {func(w http.ResponseWriter, _ int) bool {
			_, err := w.Write(partialSuccess(7))
			return err == nil
		}, 0, 3, 1},
		"it is down for a while": {func(w http.ResponseWriter, request int) bool {
			if request == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return request > 1
		}, 3, 0, 2},
		"it does not accept them": {func(w http.ResponseWriter, _ int) bool {
			w.WriteHeader(http.StatusUnauthorized)
			return false
		}, 0, 3, 1},
		"it answers nonsense": {func(w http.ResponseWriter, _ int) bool {
			_, err := w.Write([]byte("\xff\xff\xff"))
			return err == nil
		}, 3, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			collector := telemetrytest.Start(t)
			collector.Answer(func(w http.ResponseWriter) bool { return test.answer(w, int(requests.Add(1))) })
			traces, metrics := openTraces(t, to(collector.URL), slog.New(slog.DiscardHandler))
			for range 3 {
				span, _ := traces.Begin("")
				traces.Record(edgelens.Span{Trace: span, Name: "work"})
			}
			testutil.Eventually(t, "all are counted", func() bool { return sum(series(t, metrics, "edgelens_trace_spans_total")) == 3 })
			counts := series(t, metrics, "edgelens_trace_spans_total")
			if counts["outcome=sent"] != test.sent || counts["outcome=refused"] != test.refused || int(requests.Load()) != test.requests {
				t.Errorf("counted %v after %d requests", counts, requests.Load())
			}
		})
	}
}

// The log names the error, and neither the password in the URL nor a header.
func TestLostSpansAreLoggedWithoutSecrets(t *testing.T) {
	log := &testutil.LogBuffer{}
	collector := telemetrytest.Start(t)
	collector.Answer(func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusForbidden)
		return false
	})
	config := to(strings.Replace(collector.URL, "://", "://user:s3cr3t@", 1))
	config.Headers = "X-Key: s3cr3t"
	traces, _ := openTraces(t, config, log.Logger())
	span, _ := traces.Begin("")
	traces.Record(edgelens.Span{Trace: span, Name: "work"})
	testutil.Eventually(t, "a line", func() bool { return log.Contains("event=traces_lost") && log.Contains("403") })
	if log.Contains("s3cr3t") {
		t.Error("the log has a secret")
	}
	if user, password, ok := collector.Requests()[0].BasicAuth(); !ok || user != "user" || password != "s3cr3t" {
		t.Errorf("sent with %q, %q, %v", user, password, ok)
	}
}

func TestTracesConfigErrors(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*telemetry.TracesConfig)
		want   string
	}{
		"no URL":              {func(c *telemetry.TracesConfig) { c.Endpoint = "collector:4318" }, "endpoint"},
		"gRPC":                {func(c *telemetry.TracesConfig) { c.Endpoint = "grpc://collector:4317" }, "endpoint"},
		"below none":          {func(c *telemetry.TracesConfig) { c.Sample = -0.1 }, "sample"},
		"above all":           {func(c *telemetry.TracesConfig) { c.Sample = 1.1 }, "sample"},
		"not a header":        {func(c *telemetry.TracesConfig) { c.Headers = "s3cr3t" }, "headers"},
		"a header that it is": {func(c *telemetry.TracesConfig) { c.Headers = "content-type: s3cr3t" }, "Content-Type"},
	} {
		t.Run(name, func(t *testing.T) {
			config := to("http://collector:4318")
			test.change(&config)
			err := config.Validate()
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%v, want an error about %s", err, test.want)
			}
		})
	}
	if err := errors.Join(telemetry.DefaultTracesConfig().Validate(), to("https://collector/traces").Validate()); err != nil {
		t.Error(err)
	}
}

// traced is a Tracer that keeps spans.
type traced struct {
	edgelens.Tracer
	spans []edgelens.Span
}

func (t *traced) Record(span edgelens.Span) { t.spans = append(t.spans, span) }

// newTraced returns one that records every trace.
func newTraced(t testing.TB) *traced {
	traces, _ := openTraces(t, to("http://127.0.0.1:1"), slog.New(slog.DiscardHandler))
	return &traced{Tracer: traces}
}

func TestRecognitionSpans(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		timings edgelens.Timings
		took    time.Duration
		// want are the stages with their starts and ends, before the result, in ms.
		want string
	}{
		"all stages": {
			edgelens.Timings{Queue: 5 * ms, Admission: 3 * ms, Decode: 4 * ms, Preprocess: 1 * ms, Inference: 20 * ms, Postprocess: 1 * ms, Quality: 2 * ms}, 50 * ms,
			"admission 33-30 decode 30-26 preprocess 26-25 interpreter 25-23 inference 23-3 postprocess 3-2 quality 2-0",
		},
		"no wait, no quality": {edgelens.Timings{Decode: 4 * ms, Preprocess: 1 * ms, Inference: 20 * ms, Postprocess: 1 * ms}, 50 * ms, "decode 26-22 preprocess 22-21 inference 21-1 postprocess 1-0"},
		"joined during the inference": {
			edgelens.Timings{Queue: 3 * ms, Admission: 3 * ms, Decode: 4 * ms, Preprocess: 1 * ms, Inference: 20 * ms, Postprocess: 1 * ms}, 10 * ms,
			"inference 10-1 postprocess 1-0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tracer := newTraced(t)
			next := recognizer(func(req *edgelens.Request) (*edgelens.Result, error) {
				time.Sleep(test.took)
				return &edgelens.Result{Model: edgelens.ModelRef{Name: "cats"}, Timings: test.timings}, nil
			})
			parent := edgelens.NewTrace([16]byte{1}, [8]byte{2}, true)
			var log bytes.Buffer
			r := observeWith(next, tracer, &log)
			if _, err := r.Recognize(t.Context(), &edgelens.Request{ID: "r1", Source: "http", Trace: parent}); err != nil {
				t.Fatal(err)
			}
			whole := tracer.spans[0]
			if whole.Name != "recognize" || whole.Parent != parent || whole.Trace.ID() != parent.ID() {
				t.Errorf("span %+v", whole)
			}
			var got []string
			for _, s := range tracer.spans[1:] {
				if s.Parent != whole.Trace || s.Start.Before(whole.Start) || s.End.After(whole.End) {
					t.Errorf("%s is from %v to %v in %+v", s.Name, s.Start, s.End, whole)
				}
				// The joined one begins with the recognition, whose length is not exact.
				before := min(whole.End.Sub(s.Start), test.took).Round(ms)
				got = append(got, s.Name+" "+inMS(before)+"-"+inMS(whole.End.Sub(s.End).Round(ms)))
			}
			if text := strings.Join(got, " "); text != test.want {
				t.Errorf("stages %s\nwant   %s", text, test.want)
			}
			if !strings.Contains(log.String(), `"trace_id":"`+parent.ID()+`"`) {
				t.Errorf("log %s", &log)
			}
		})
	}
}

func inMS(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func TestRecognitionSpansWithoutStages(t *testing.T) {
	for name, next := range map[string]recognizer{"cached": hit, "failed": fail(edgelens.ErrBadImage)} {
		t.Run(name, func(t *testing.T) {
			tracer := newTraced(t)
			_, err := observeWith(next, tracer, &bytes.Buffer{}).Recognize(t.Context(), &edgelens.Request{ID: "r1"})
			failure := ""
			if err != nil {
				failure = "bad_image"
			}
			if len(tracer.spans) != 1 || tracer.spans[0].Parent != "" || tracer.spans[0].Failure != failure {
				t.Errorf("spans %+v", tracer.spans)
			}
		})
	}
}

// observeWith is observe with a tracer.
func observeWith(next edgelens.Recognizer, tracer edgelens.Tracer, log io.Writer) *telemetry.Recognizer {
	logger := telemetry.NewLogger(telemetry.Config{LogLevel: "debug", LogFormat: "json"}, log)
	return telemetry.NewRecognizer(next, tracer, logger, prometheus.NewRegistry(), func(string) bool { return true }, func() string { return "cats" })
}

// Where no traces are recorded, a recognition takes no more memory: with Untraced as without any tracer (see
// BenchmarkTraces for the time).
func TestUntracedAllocatesNothing(t *testing.T) {
	var tracer edgelens.Tracer = edgelens.Untraced{}
	parent := edgelens.NewTrace([16]byte{1}, [8]byte{2}, true)
	for name, trace := range map[string]edgelens.Trace{"no trace": "", "a client's trace": parent} {
		if n := testing.AllocsPerRun(100, func() {
			if _, recorded := tracer.Begin(trace); recorded {
				t.Fatal("it is recorded")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkTraces is what traces add to a recognition that takes no time: off, not sampled, and recorded.
func BenchmarkTraces(b *testing.B) {
	for _, mode := range []struct {
		name   string
		tracer func() edgelens.Tracer
	}{
		{"off", func() edgelens.Tracer { return edgelens.Untraced{} }},
		{"not sampled", func() edgelens.Tracer {
			config := to("http://127.0.0.1:1")
			config.Sample = 0
			traces, _ := openTraces(b, config, slog.New(slog.DiscardHandler))
			return traces
		}},
		{"recorded", func() edgelens.Tracer {
			traces, _ := openTraces(b, to("http://127.0.0.1:1"), slog.New(slog.DiscardHandler))
			return traces
		}},
	} {
		b.Run(mode.name, func(b *testing.B) {
			logger := slog.New(slog.DiscardHandler)
			r := telemetry.NewRecognizer(recognizer(succeed), mode.tracer(), logger, prometheus.NewRegistry(), func(string) bool { return true }, func() string { return "cats" })
			req := &edgelens.Request{ID: "r1", Source: "http"}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Recognize(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
