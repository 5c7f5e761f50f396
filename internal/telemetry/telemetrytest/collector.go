// Package telemetrytest has a collector of traces for tests.
package telemetrytest

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"edgelens"
	"edgelens/internal/testutil"
)

// Span is a span as a collector received it.
type Span struct {
	// Trace, ID and Parent are ids in hexadecimal digits.
	Trace, ID, Parent string
	Name              string
	// Kind is that of the protocol, such as SPAN_KIND_SERVER.
	Kind       string
	Start, End time.Time
	// Attributes and Resource are those of the span and of its process.
	Attributes, Resource map[string]string
	// Failure is the message of the status; empty unless that is an error.
	Failure string
}

// Collector takes spans by OTLP over HTTP. It is safe for use by many goroutines.
type Collector struct {
	// URL is its address, without a path.
	URL string

	mu       sync.Mutex
	spans    []Span
	requests []*http.Request
	answer   func(http.ResponseWriter) bool
}

// Start starts a collector, and stops it with the test.
func Start(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.receive(w, r); err != nil {
			t.Errorf("the collector received %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// Answer has the collector answer with f, until that returns true: then the request is accepted.
func (c *Collector) Answer(f func(http.ResponseWriter) (accept bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = f
}

func (c *Collector) receive(w http.ResponseWriter, r *http.Request) error {
	unpacked, err := gzip.NewReader(r.Body)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(unpacked)
	if err != nil {
		return err
	}
	var data trace.TracesData
	if err := proto.Unmarshal(body, &data); err != nil {
		return err
	}
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Content-Encoding") != "gzip" {
		return fmt.Errorf("a %s with %v", r.Method, r.Header)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r)
	if c.answer != nil && !c.answer(w) {
		return nil
	}
	for _, of := range data.GetResourceSpans() {
		process := attributes(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, newSpan(span, process))
			}
		}
	}
	return nil
}

func newSpan(s *trace.Span, process map[string]string) Span {
	span := Span{
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()), Name: s.GetName(), Kind: s.GetKind().String(),
		Start: time.Unix(0, int64(s.GetStartTimeUnixNano())), End: time.Unix(0, int64(s.GetEndTimeUnixNano())), Attributes: attributes(s.GetAttributes()), Resource: process,
	}
	if s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR {
		span.Failure = s.GetStatus().GetMessage()
	}
	return span
}

func attributes(all []*common.KeyValue) map[string]string {
	values := map[string]string{}
	for _, a := range all {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			values[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			values[a.GetKey()] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_BoolValue:
			values[a.GetKey()] = fmt.Sprint(v.BoolValue)
		case *common.AnyValue_DoubleValue:
			values[a.GetKey()] = fmt.Sprint(v.DoubleValue)
		}
	}
	return values
}

// Requests returns the requests so far.
func (c *Collector) Requests() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// Spans returns the spans of a trace so far; of every one for an empty Trace.
func (c *Collector) Spans(of edgelens.Trace) []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var spans []Span
	for _, s := range c.spans {
		if of == "" || s.Trace == of.ID() {
			spans = append(spans, s)
		}
	}
	return spans
}

// Await waits until the trace has spans of these names, and returns the spans of the trace by name; of several of one name the
// first.
func (c *Collector) Await(t testing.TB, of edgelens.Trace, names ...string) map[string]Span {
	t.Helper()
	byName := map[string]Span{}
	testutil.Eventually(t, "the collector has "+strings.Join(names, ", ")+" of the trace", func() bool {
		clear(byName)
		for _, s := range c.Spans(of) {
			if _, known := byName[s.Name]; !known {
				byName[s.Name] = s
			}
		}
		for _, name := range names {
			if _, known := byName[name]; !known {
				return false
			}
		}
		return true
	})
	return byName
}
