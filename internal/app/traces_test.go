//go:build cgo

package app

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/telemetry/telemetrytest"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
	"edgelens/terminal/session"
)

// caller is the span of a client, with ids that begin with n.
func caller(n byte) edgelens.Trace {
	return edgelens.NewTrace([16]byte{n, 15: 1}, [8]byte{n, 7: 2}, true)
}

// below fails the test unless a span is a part of another one, and lies in its time.
func below(t *testing.T, part, whole telemetrytest.Span) {
	t.Helper()
	// The times of spans are those of the wall clock, in which the start and the end of each are exact to some microseconds.
	const inexact = time.Millisecond
	if part.Parent != whole.ID || part.Start.Before(whole.Start.Add(-inexact)) || part.End.After(whole.End.Add(inexact)) {
		t.Errorf("%s, from %v to %v below %s, is no part of %s, from %v to %v with the id %s", part.Name, part.Start, part.End, part.Parent, whole.Name, whole.Start, whole.End, whole.ID)
	}
}

func TestTraceOfRequest(t *testing.T) {
	collector := telemetrytest.Start(t)
	c := settings(t)
	withColors(t, c)
	c.Traces.Endpoint = collector.URL
	s := start(t, c)
	client := caller(1)
	a := s.sendWith("POST", path, http.Header{"Traceparent": {string(client)}}, modeltest.Image(modeltest.Red, 40, 30))
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	spans := collector.Await(t, client, "POST /api/recognize", "recognize", "decode", "preprocess", "inference", "postprocess")
	request, whole := spans["POST /api/recognize"], spans["recognize"]
	if request.Parent != client.Span() || request.Kind != "SPAN_KIND_SERVER" || request.Attributes["http.response.status_code"] != "200" || request.Failure != "" {
		t.Errorf("request %+v", request)
	}
	if request.Resource["service.name"] != "edgelens" || request.Resource["service.version"] != "test" {
		t.Errorf("resource %v", request.Resource)
	}
	id := a.header.Get("X-Request-Id")
	if request.Attributes["edgelens.request_id"] != id || whole.Attributes["edgelens.request_id"] != id || whole.Attributes["edgelens.model"] != "colors" {
		t.Errorf("request %v and recognition %v, want the id %s", request.Attributes, whole.Attributes, id)
	}
	below(t, whole, request)
	for _, stage := range []string{"decode", "preprocess", "inference", "postprocess"} {
		below(t, spans[stage], whole)
	}
	if spans["decode"].End.After(spans["inference"].Start) || spans["inference"].End.After(spans["postprocess"].Start) {
		t.Errorf("stages %+v", spans)
	}

	// An error of the client is no failure of the service; polls are not recorded.
	client = caller(2)
	s.sendWith("POST", path, http.Header{"Traceparent": {string(client)}}, []byte("no image"))
	s.exchange("GET", "/healthz", http.Header{"Traceparent": {string(client)}}, nil)
	spans = collector.Await(t, client, "POST /api/recognize", "recognize")
	if request := spans["POST /api/recognize"]; request.Attributes["http.response.status_code"] != "415" || request.Failure != "" || spans["recognize"].Failure != "unsupported_format" {
		t.Errorf("spans %+v", spans)
	}
	if n := len(collector.Spans(client)); n != 2 {
		t.Errorf("%d spans, want 2", n)
	}
}

// A job is a part of the trace of its request, also where the worker of another process runs it.
func TestTraceOfJob(t *testing.T) {
	url := supervisetest.Start(t).URL
	accepting, working_ := telemetrytest.Start(t), telemetrytest.Start(t)
	c := settings(t)
	withColors(t, c)
	c.Jobs.RedisURL, c.Traces.Endpoint = url, accepting.URL
	s := start(t, c)

	local := caller(1)
	j := s.async(t, "/api/recognize_async", modeltest.Image(modeltest.Red, 40, 30), http.Header{"Traceparent": {string(local)}})
	if done := s.wait(t, j); done.Status != "succeeded" {
		t.Fatalf("%+v", done)
	}
	jobTree(t, accepting.Await(t, local, "POST /api/recognize_async", "job", "queue", "recognize", "inference", "publish"), j.TaskID)

	s.jobs.worker.Shutdown() // so that the other one has to do everything
	other := settings(t)
	withColors(t, other)
	other.Jobs.RedisURL, other.Traces.Endpoint = url, working_.URL
	_, stop := working(t, other)
	remote := caller(2)
	j = s.async(t, "/api/recognize_async", modeltest.Image(modeltest.Green, 40, 30), http.Header{"Traceparent": {string(remote)}})
	if done := s.wait(t, j); done.Status != "succeeded" {
		t.Fatalf("%+v", done)
	}
	spans := working_.Await(t, remote, "job", "queue", "recognize", "inference", "publish")
	spans["POST /api/recognize_async"] = accepting.Await(t, remote, "POST /api/recognize_async")["POST /api/recognize_async"]
	jobTree(t, spans, j.TaskID)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// jobTree checks the spans of a job, by name.
func jobTree(t *testing.T, spans map[string]telemetrytest.Span, id string) {
	t.Helper()
	request, job := spans["POST /api/recognize_async"], spans["job"]
	if job.Parent != request.ID || job.Kind != "SPAN_KIND_CONSUMER" || job.Attributes["edgelens.job"] != id || request.Attributes["edgelens.job"] != id || job.Attributes["edgelens.attempt"] != "1" {
		t.Errorf("job %+v of request %+v, want the id %s", job, request, id)
	}
	below(t, spans["recognize"], job)
	below(t, spans["publish"], job)
	below(t, spans["inference"], spans["recognize"])
	if queued := spans["queue"]; queued.Parent != job.ID || queued.End.After(job.Start.Add(time.Millisecond)) {
		t.Errorf("queued %+v before %+v", queued, job)
	}
}

// A terminal's record, its job, its event and the webhook are parts of the trace that the terminal names, also after a restart
// and retries.
func TestTraceOfRecord(t *testing.T) {
	collector := telemetrytest.Start(t)
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	c.Traces.Endpoint = collector.URL
	r := newReceiver(t, c)
	r.mode.Store("500")
	_, log, stop := serving(t, c)
	listener := connect(t, c, "listener", "edgelens/v1/events/#")
	log.waitFor(t, `connected to the MQTT broker.*-up`)
	client := caller(1)
	record, image := passed(0)
	m := fungxis.Record("F1", record, image)
	terminal := connect(t, c, "F1")
	if err := terminal.Publish(context.Background(), session.Outgoing{Topic: m.Topic, Payload: m.Payload, QoS: 1, Trace: client}); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "the event", func() bool { return len(listener.events("F1")) == 1 })
	id := listener.events("F1")[0].ID
	testutil.Eventually(t, "the webhook was tried", func() bool { return r.tried("500") > 0 })
	spans := collector.Await(t, client, "record", "job", "recognize", "inference", "publish", "delivery")
	if received := spans["record"]; received.Parent != client.Span() || received.Kind != "SPAN_KIND_CONSUMER" || received.Attributes["edgelens.record"] != id || received.Attributes["edgelens.device"] != "F1" {
		t.Errorf("record %+v", received)
	}
	if spans["job"].Parent != spans["record"].ID || spans["job"].Attributes["edgelens.record"] != id {
		t.Errorf("job %+v of record %+v", spans["job"], spans["record"])
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	r.mode.Store("ok")
	_, after, stopAgain := serving(t, c)
	testutil.Eventually(t, "the webhook", func() bool { return len(r.all()) == 1 })
	after.waitFor(t, `msg=delivery sink=webhook device=F1 record=`+id+` attempts=1 ms=[0-9.]+ status=200 trace_id=`+client.ID()+` outcome=delivered`)
	if err := stopAgain(); err != nil {
		t.Fatal(err)
	}
	deliveries := map[string]telemetrytest.Span{} // the last by sink and failure
	for _, s := range collector.Spans(client) {
		if s.Name != "delivery" {
			continue
		}
		if s.Parent != spans["record"].ID || s.Kind != "SPAN_KIND_PRODUCER" || s.Attributes["edgelens.record"] != id {
			t.Errorf("delivery %+v", s)
		}
		deliveries[strings.TrimSpace(s.Attributes["edgelens.sink"]+" "+s.Failure)] = s
	}
	if deliveries["webhook 500"].Attributes["http.response.status_code"] != "500" || deliveries["webhook"].Attributes["http.response.status_code"] != "200" {
		t.Errorf("deliveries %+v", deliveries)
	}
	// Each receiver got the span of the attempt that it accepted.
	if got := edgelens.ParseTrace(r.head.Get("Traceparent")); got.ID() != client.ID() || got.Span() != deliveries["webhook"].ID {
		t.Errorf("the webhook got %q, want the span %s", got, deliveries["webhook"].ID)
	}
	listener.mu.Lock()
	defer listener.mu.Unlock()
	if got := listener.received[0].Trace; got.ID() != client.ID() || got.Span() != deliveries["mqtt"].ID {
		t.Errorf("the subscriber got %q, want the span %s", got, deliveries["mqtt"].ID)
	}
	// One id leads through the log: of the record, its recognition, and its deliveries.
	for _, line := range []string{`msg=record .*record=` + id, `msg=recognize .*record=` + id, `msg=delivery sink=mqtt .*record=` + id} {
		log.waitFor(t, line+`.* trace_id=`+client.ID())
	}
}

// Without an endpoint, nothing is recorded, and what clients send is passed on.
func TestTracesOfOthersArePassedOn(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	r := newReceiver(t, c)
	_, log, stop := serving(t, c)
	listener := connect(t, c, "listener", "edgelens/v1/events/#")
	log.waitFor(t, `connected to the MQTT broker.*-up`)
	client := caller(1)
	record, image := passed(0)
	m := fungxis.Record("F1", record, image)
	if err := connect(t, c, "F1").Publish(context.Background(), session.Outgoing{Topic: m.Topic, Payload: m.Payload, QoS: 1, Trace: client}); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "both have it", func() bool { return len(listener.events("F1")) == 1 && len(r.all()) == 1 })
	listener.mu.Lock()
	defer listener.mu.Unlock()
	if got := listener.received[0].Trace; got != client || r.head.Get("Traceparent") != string(client) {
		t.Errorf("the subscriber got %q, the webhook %q, want %q", got, r.head.Get("Traceparent"), client)
	}
	log.waitFor(t, `msg=recognize .*trace_id=`+client.ID())
	if err := stop(); err != nil {
		t.Error(err)
	}
}
