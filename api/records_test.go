package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

func TestDeviceRecords(t *testing.T) {
	h := &history{results: []edgelens.StoredResult{
		{ID: jobID, Outcome: "no_image", Reason: "None came.", CreatedAt: morning.Add(time.Minute), Freshness: edgelens.FreshnessReplayed},
		{ID: resultID, Outcome: "recognized", Label: "<b>cat</b>", Probability: 0.93, CreatedAt: morning, HasImage: true, Freshness: edgelens.FreshnessFresh},
	}}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.History, p.Devices = h, &devices{} })
	w := s.do(request("GET", "/api/devices/"+door+"/records", "", nil))
	const image = "/api/results/" + resultID + "/image"
	want := map[string]any{"last_image_url": image, "records": []any{
		map[string]any{"at": "2026-04-10T08:01:00Z", "freshness": "replayed", "outcome": "no_image", "reason": "None came.", "result_id": jobID},
		map[string]any{"at": "2026-04-10T08:00:00Z", "freshness": "fresh", "image_url": image, "label": "<b>cat</b>", "outcome": "recognized", "probability": 0.93, "result_id": resultID},
	}}
	gotText, _ := json.Marshal(decoded(t, w))
	wantText, _ := json.Marshal(want)
	if w.Code != 200 || string(gotText) != string(wantText) {
		t.Errorf("got %d %s\nwant %s", w.Code, gotText, wantText)
	}
	if h.filter.Device != door || h.filter.Limit != 50 {
		t.Errorf("it asked for %+v", h.filter)
	}
	if s.do(request("GET", "/api/devices/"+door+"/records?limit=200", "", nil)); h.filter.Limit != 200 {
		t.Errorf("it asked for %+v", h.filter)
	}
	for target, status := range map[string]int{"nobody/records": 404, "a%20b/records": 400, door + "/records?limit=201": 400, door + "/records?limit=0": 400} {
		if w := s.do(request("GET", "/api/devices/"+target, "", nil)); w.Code != status {
			t.Errorf("%s: %d, want %d", target, w.Code, status)
		}
	}
	h.results = nil
	if w := s.do(request("GET", "/api/devices/"+door+"/records", "", nil)); w.Body.String() != "{\"records\":[]}\n" {
		t.Errorf("without any: %s", w.Body)
	}
}

// A display name is text, whatever is in it, and has no characters that could pass for something else.
func TestDisplayName(t *testing.T) {
	longest := strings.Repeat("門", 80)
	for body, want := range map[string]string{
		`{"display_name":"Front door"}`:                         "Front door",
		`{"display_name":"<script>alert(1)</script> & \"x\"}"}`: `<script>alert(1)</script> & "x"}`,
		`{"display_name":"` + longest + `"}`:                    longest,
		`{"display_name":"Tür 🚪 👩‍🔧"}`:                          "Tür 🚪 👩‍🔧",
		`{"display_name":null}`:                                 "",
		`{"display_name":""}`:                                   "",
	} {
		s, d := newDoors(t, nil)
		w := s.do(request("PATCH", "/api/devices/new", "", strings.NewReader(body)))
		got, _ := decoded(t, w)["display_name"].(string)
		if w.Code != 200 || got != want || len(d.changes) != 1 || *d.changes[0].DisplayName != want {
			t.Errorf("%s: %d, %q", body, w.Code, got)
		}
	}
	for _, body := range []string{
		`{"display_name":"` + longest + `!"}`, `{"display_name":5}`, `{"display_name":["a"]}`, `{"display_name":" a"}`, `{"display_name":"a\n"}`, `{"display_name":"a\u0000b"}`,
		`{"display_name":"a\u001b[31mb"}`, `{"display_name":"a\u202eb"}`, `{"display_name":"a\u2028b"}`, `{"displayname":"a"}`, `{"display_nam":"a"}`, `{"display_name":"\ud800"}`,
	} {
		s, d := newDoors(t, nil)
		w := s.do(request("PATCH", "/api/devices/new", "", strings.NewReader(body)))
		if p := problem(t, w); w.Code != 400 || len(d.changes) != 0 || !strings.Contains(p["detail"].(string), "display_name") {
			t.Errorf("%s: %d %v", body, w.Code, p)
		}
	}
}

func TestForgetDevice(t *testing.T) {
	s, d := newDoors(t, nil)
	if w := s.do(request("DELETE", "/api/devices/"+door, "", nil)); w.Code != 204 || w.Body.Len() != 0 || fmt.Sprint(d.forgotten) != "["+door+"]" {
		t.Errorf("%d %s, forgotten: %v", w.Code, w.Body, d.forgotten)
	}
	for target, status := range map[string]int{"nobody": 404, "a%20b": 400} {
		if w := s.do(request("DELETE", "/api/devices/"+target, "", nil)); w.Code != status {
			t.Errorf("%s: %d, want %d", target, w.Code, status)
		}
	}
	if w := s.do(foreign("DELETE", "/api/devices/"+door)); w.Code != 403 || len(d.forgotten) != 1 {
		t.Errorf("a page of another site: %d", w.Code)
	}
}

// sinks have an event and deliveries for one result.
type sinks struct{}

func (sinks) Deliveries(_ context.Context, result edgelens.StoredResult) (json.RawMessage, []edgelens.DeliveryStatus, error) {
	if result.ID != resultID {
		return nil, nil, nil
	}
	return json.RawMessage(`{"id":"` + resultID + `","data":{"passed":true}}`), []edgelens.DeliveryStatus{
		{Sink: "mqtt", State: edgelens.DeliveryDelivered, Attempts: 1, DeliveredAt: morning},
		{Sink: "webhook", State: edgelens.DeliveryWaiting, Attempts: 3, AttemptedAt: morning.Add(time.Second), Reason: "It refuses the connection."},
	}, nil
}

// One result has its event and deliveries; in the list it has neither.
func TestResultDeliveries(t *testing.T) {
	h := &history{results: []edgelens.StoredResult{{ID: resultID, Outcome: "recognized", CreatedAt: morning}, {ID: jobID, Outcome: "error", CreatedAt: morning}}}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.History, p.Deliveries = h, sinks{} })
	one := decoded(t, s.do(request("GET", "/api/results/"+resultID, "", nil)))
	got, _ := json.Marshal([]any{one["event"], one["deliveries"]})
	const want = `[{"data":{"passed":true},"id":"` + resultID + `"},[{"attempts":1,"delivered_at":"2026-04-10T08:00:00Z","sink":"mqtt","state":"delivered"},` +
		`{"attempted_at":"2026-04-10T08:00:01Z","attempts":3,"reason":"It refuses the connection.","sink":"webhook","state":"waiting"}]]`
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if other := decoded(t, s.do(request("GET", "/api/results/"+jobID, "", nil))); other["event"] != nil || other["deliveries"] != nil {
		t.Errorf("without a record: %v", other)
	}
	for _, listed := range decoded(t, s.do(request("GET", "/api/results", "", nil)))["results"].([]any) {
		if r := listed.(map[string]any); r["event"] != nil || r["deliveries"] != nil {
			t.Errorf("in the list: %v", r)
		}
	}
}
