package api_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
)

// tracer records every span below the one of a client, and keeps them.
type tracer struct{ spans []edgelens.Span }

func (*tracer) Begin(parent edgelens.Trace) (edgelens.Trace, bool) {
	if parent == "" {
		return edgelens.NewTrace([16]byte{9}, [8]byte{9}, true), true
	}
	return parent.Of([8]byte{9}), true
}

func (t *tracer) Record(span edgelens.Span) { t.spans = append(t.spans, span) }

const callerTrace = edgelens.Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")

func TestRequestSpans(t *testing.T) {
	image := func(target string) *http.Request {
		return request("POST", target, "image/jpeg", bytes.NewReader([]byte("an image")))
	}
	for name, test := range map[string]struct {
		request *http.Request
		traces  []string
		err     error
		// parent is that of the span; failure is its error.
		name, failure string
		parent        edgelens.Trace
	}{
		"a client's trace":  {image("/api/recognize"), []string{string(callerTrace)}, nil, "POST /api/recognize", "", callerTrace},
		"no trace":          {image("/api/recognize"), nil, nil, "POST /api/recognize", "", ""},
		"two traces":        {image("/api/recognize"), []string{string(callerTrace), string(callerTrace)}, nil, "POST /api/recognize", "", ""},
		"an invalid trace":  {image("/api/recognize"), []string{"00-4bf92f"}, nil, "POST /api/recognize", "", ""},
		"a client's error":  {image("/api/recognize"), nil, edgelens.ErrBadImage, "POST /api/recognize", "", ""},
		"an internal error": {image("/api/recognize"), nil, edgelens.ErrInference, "POST /api/recognize", edgelens.Code(edgelens.ErrInference), ""},
		"no route":          {request("GET", "/api/nonesuch/"+strings.Repeat("x", 50), "", nil), nil, nil, "GET none", "", ""},
		"a made-up method":  {request("WHATEVER", "/api/recognize", "", nil), nil, nil, "_OTHER /api/recognize", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			traces := &tracer{}
			s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Tracer = traces })
			s.recognizer.err = test.err
			test.request.Header["Traceparent"] = test.traces
			test.request.Header.Set("X-API-Key", "s3cr3t")
			w := record(s, test.request)
			if len(traces.spans) != 1 {
				t.Fatalf("%d spans, want 1", len(traces.spans))
			}
			span := traces.spans[0]
			if span.Name != test.name || span.Parent != test.parent || span.Failure != test.failure || span.Kind != edgelens.SpanServer || span.End.Before(span.Start) {
				t.Errorf("span %+v, want %q below %q", span, test.name, test.parent)
			}
			if test.parent != "" && span.Trace.ID() != test.parent.ID() {
				t.Errorf("the span %q is in another trace than %q", span.Trace, test.parent)
			}
			if s.recognizer.last != nil && (s.recognizer.last.Trace != span.Trace || s.recognizer.last.Client.String() != "192.0.2.1") {
				t.Errorf("the recognizer got the trace %q and the client %v", s.recognizer.last.Trace, s.recognizer.last.Client)
			}
			if id := w.Header().Get("X-Request-Id"); !strings.Contains(attributesText(span), "edgelens.request_id="+id) {
				t.Errorf("attributes %s lack the id %s", attributesText(span), id)
			}
			if text := attributesText(span); strings.Contains(text, "s3cr3t") || strings.Contains(text, "an image") || strings.Contains(text, "192.0.2.1") {
				t.Errorf("attributes %s have more than they should", text)
			}
			if s.recognizer.last == nil && !strings.Contains(s.log.String(), "trace_id="+span.Trace.ID()) {
				t.Errorf("log %s", s.log)
			}
		})
	}
}

// record serves a request, also one that the description does not have.
func record(s *server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func attributesText(span edgelens.Span) string {
	var text []string
	for _, a := range span.Attributes {
		text = append(text, a.String())
	}
	return strings.Join(text, " ")
}

func TestPollsAreNotTraced(t *testing.T) {
	traces := &tracer{}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Tracer = traces })
	for _, target := range []string{"/healthz", "/readyz", "/metrics"} {
		r := request("GET", target, "", nil)
		r.Header.Set("traceparent", string(callerTrace))
		record(s, r)
	}
	if len(traces.spans) != 0 {
		t.Errorf("spans %+v", traces.spans)
	}
}

// Without a tracer, the trace of a client is passed on.
func TestTraceIsPassedOn(t *testing.T) {
	s := newServer(t, nil)
	r := formRequest("/api/recognize", "file", []byte("x"))
	r.Header.Set("traceparent", string(callerTrace))
	if w := s.do(r); w.Code != http.StatusOK || s.recognizer.last.Trace != callerTrace {
		t.Errorf("%d, trace %q", w.Code, s.recognizer.last.Trace)
	}
}
