package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

// activityLog has one answer, and keeps what it was asked.
type activityLog struct {
	window  time.Duration
	refused int
}

func (a *activityLog) Activity(window time.Duration) edgelens.Activity {
	a.window = window
	return edgelens.Activity{
		Step: 5 * time.Second, From: morning, Until: morning.Add(7 * time.Second),
		Steps: []edgelens.ActivityStep{
			{At: morning, ActivityCounts: edgelens.ActivityCounts{Answered: 4, Refused: 1, Failed: 2, P95: 48200 * time.Microsecond}, Waiting: 3, Queued: 9},
			{At: morning.Add(5 * time.Second)},
		},
		Now: edgelens.ActivityNow{ActivityCounts: edgelens.ActivityCounts{Answered: 14, Refused: 1, Failed: 2, P95: time.Second}, Over: 7 * time.Second, Waiting: 1, Queued: 8},
	}
}

func (a *activityLog) Refused() { a.refused++ }

func TestActivity(t *testing.T) {
	log := &activityLog{}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Activity = log })
	w := s.do(request("GET", "/api/activity", "", nil))
	const want = `{"from":"2026-04-10T08:00:00Z","now":{"answered_per_second":2,"failed_last_minute":2,"p95_ms":1000,"queued":8,"refused_last_minute":1,"waiting":1},"step_seconds":5,` +
		`"steps":[{"answered":4,"at":"2026-04-10T08:00:00Z","failed":2,"p95_ms":48.2,"queued":9,"refused":1,"waiting":3},{"answered":0,"at":"2026-04-10T08:00:05Z","failed":0,"p95_ms":null,"queued":0,"refused":0,"waiting":0}],` +
		`"until":"2026-04-10T08:00:07Z"}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != want || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %s\nwant %s", w.Code, got, want)
	}
	for text, want := range map[string]time.Duration{"": 15 * time.Minute, "?window=1m": time.Minute, "?window=6h": 6 * time.Hour, "?window=90": 90 * time.Second, "?window=300s": 5 * time.Minute} {
		if w := s.do(request("GET", "/api/activity"+text, "", nil)); w.Code != 200 || log.window != want {
			t.Errorf("%q: %d, a window of %v, want %v", text, w.Code, log.window, want)
		}
	}
	for _, bad := range []string{"0", "59s", "7h", "-5m", "1d", "x", "1h30m", "1.5h", "999999", "NaN", "%2B5m"} {
		w := s.do(request("GET", "/api/activity?window="+bad, "", nil))
		if p := problem(t, w); w.Code != 400 || !strings.Contains(p["detail"].(string), "1m to 6h") {
			t.Errorf("%s: %d %v", bad, w.Code, p)
		}
	}
}

// A server that knows nothing of its activity has an answer, without steps.
func TestActivityOfNothing(t *testing.T) {
	got := decoded(t, newServer(t, nil).do(request("GET", "/api/activity", "", nil)))
	if steps, ok := got["steps"].([]any); !ok || len(steps) != 0 {
		t.Errorf("got %v", got)
	}
}

// What is refused because of the load is counted, whether it was recognized or not, once; a bad request is not.
func TestRefusalsAreActivity(t *testing.T) {
	log := &activityLog{}
	s := newServer(t, func(_ *api.Config, p *api.Parts) {
		p.Activity = log
		p.Admission = &refusing{err: &edgelens.Busy{Reason: "full"}}
	})
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		refused int
	}{
		"before it is read": {formRequest("/api/recognize", "file", []byte("x")), 503, 1},
		"a bad request":     {request("POST", "/api/recognize", "", nil), 400, 0},
		"another call":      {request("GET", "/api/models", "", nil), 200, 0},
	} {
		log.refused = 0
		if w := s.do(c.request); w.Code != c.status || log.refused != c.refused {
			t.Errorf("%s: %d, %d refused, want %d and %d", name, w.Code, log.refused, c.status, c.refused)
		}
	}
	s = newServer(t, func(_ *api.Config, p *api.Parts) { p.Activity = log })
	s.recognizer.err = &edgelens.Busy{Reason: "full"}
	log.refused = 0
	if w := s.do(formRequest("/api/recognize", "file", []byte("x"))); w.Code != 503 || log.refused != 0 {
		t.Errorf("one that reached the Recognizer, which counts it: %d, %d refused", w.Code, log.refused)
	}
}
