package api_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/testutil"
)

// archive has n results, in pages, and an error at one of them.
type archive struct {
	history
	n, failAt int
	// hold is nil, or holds back each page after the first until it is closed.
	hold  chan struct{}
	mu    sync.Mutex
	pages int
}

func (a *archive) Results(_ context.Context, filter edgelens.ResultFilter) ([]edgelens.StoredResult, string, error) {
	from := 0
	if filter.Cursor != "" {
		_, _ = fmt.Sscan(filter.Cursor, &from)
		if a.hold != nil {
			<-a.hold
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pages++
	a.filter = filter
	var page []edgelens.StoredResult
	for i := from; i < min(a.n, from+filter.Limit); i++ {
		if a.failAt > 0 && i == a.failAt {
			return nil, "", errors.New("the disk is gone")
		}
		page = append(page, edgelens.StoredResult{ID: resultID, CreatedAt: morning, Source: "mqtt", Outcome: "recognized", Label: fmt.Sprint("label ", i), Probability: 0.5})
	}
	if next := from + filter.Limit; next < a.n {
		return page, fmt.Sprint(next), nil
	}
	return page, "", nil
}

func exporting(t *testing.T, h api.History) *server {
	return newServer(t, func(_ *api.Config, p *api.Parts) { p.History = h })
}

func TestExportCSV(t *testing.T) {
	evil := edgelens.StoredResult{
		ID: resultID, JobID: jobID, CreatedAt: morning, Source: "mqtt", Device: "-1", Outcome: "uncertain", Label: `=cmd|' /C calc'!A0`, Probability: 0.25,
		Reason: "+1, \"or\"\nnot", Freshness: edgelens.FreshnessUnknown, FreshnessReason: "@here", Error: &edgelens.JobError{Code: "bad_image"},
		Result: &edgelens.Result{Model: edgelens.ModelRef{Name: "\tm"}, Quality: &edgelens.Quality{Verdict: "dark"}},
	}
	s := exporting(t, &history{results: []edgelens.StoredResult{evil, {ID: resultID, CreatedAt: morning, Outcome: "no_image", Label: "a=b"}}})
	w := s.do(request("GET", "/api/results/export?format=csv", "", nil))
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(w.Header().Get("Content-Disposition"), `attachment; filename="edgelens-results-`) {
		t.Fatal(w.Code, err, w.Header())
	}
	want := [][]string{
		{"id", "created_at", "source", "device", "outcome", "label", "probability", "quality", "model", "freshness", "reason", "freshness_reason", "error_code", "job_id"},
		{resultID, "2026-04-10T08:00:00Z", "mqtt", "'-1", "uncertain", `'=cmd|' /C calc'!A0`, "0.25", "dark", "'\tm", "unknown", "'+1, \"or\"\nnot", "'@here", "bad_image", jobID},
		{resultID, "2026-04-10T08:00:00Z", "", "", "no_image", "a=b", "0", "", "", "", "", "", "", ""},
	}
	if fmt.Sprint(rows) != fmt.Sprint(want) {
		t.Errorf("got %q\nwant %q", rows, want)
	}
}

func TestExportJSONLines(t *testing.T) {
	s := exporting(t, &archive{n: 450})
	w := s.do(request("GET", "/api/results/export?format=ndjson", "", nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Fatal(w.Code, w.Header())
	}
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if len(lines) != 450 {
		t.Fatalf("%d lines, want 450", len(lines))
	}
	for i, line := range lines {
		var result map[string]any
		if err := json.Unmarshal([]byte(line), &result); err != nil || result["id"] != resultID || result["source"] != "mqtt" {
			t.Fatalf("line %d: %v %s", i, err, line)
		}
	}
}

// The filters are those of the list, and a bad one is an error before anything is sent.
func TestExportFilters(t *testing.T) {
	h := &archive{n: 1}
	s := exporting(t, h)
	w := s.do(request("GET", "/api/results/export?device="+door+"&label=cat&outcome=error&source=sync&since=2026-04-10T08:00:00Z&until=2026-04-11T08:00:00Z", "", nil))
	f := h.filter
	if w.Code != 200 || f.Device != door || f.Label != "cat" || f.Outcome != "error" || f.Source != "sync" || !f.Since.Equal(morning) || !f.Until.Equal(morning.AddDate(0, 0, 1)) || f.Cursor != "" {
		t.Errorf("got %d and asked for %+v", w.Code, f)
	}
	for _, query := range []string{"format=xls", "device=a+b", "outcome=x", "source=cli", "since=yesterday", "limit=5", "label="} {
		w := s.do(request("GET", "/api/results/export?"+query, "", nil))
		if p := problem(t, w); w.Code != 400 || p["code"] != "invalid_request" {
			t.Errorf("%s: %d %v", query, w.Code, p)
		}
	}
}

// An export that fails on the way ends without the end of its body, so that nobody takes it for a whole one; one that cannot
// begin has a status.
func TestExportThatFails(t *testing.T) {
	web := httptest.NewServer(exporting(t, &archive{n: 1000, failAt: 300}))
	defer web.Close()
	response, err := web.Client().Get(web.URL + "/api/results/export")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err == nil || response.StatusCode != 200 {
		t.Errorf("%d with %d bytes and a proper end", response.StatusCode, len(body))
	}
	_ = response.Body.Close()
	w := httptest.NewRecorder()
	exporting(t, &archive{n: 10, failAt: 1}).ServeHTTP(w, request("GET", "/api/results/export", "", nil))
	if problem(t, w); w.Code != 500 {
		t.Errorf("at once: %d", w.Code)
	}
}

// settledHeap reads the heap without what pools keep, which takes two collections to let go.
func settledHeap(stats *runtime.MemStats) {
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(stats)
}

// Memory does not grow with what is exported, and a page is read after the one before was sent.
func TestExportIsBounded(t *testing.T) {
	h := &archive{n: 200_000}
	web := httptest.NewServer(exporting(t, h))
	defer web.Close()
	var before, after runtime.MemStats
	settledHeap(&before)
	response, err := web.Client().Get(web.URL + "/api/results/export?format=csv")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	head := make([]byte, 100)
	if _, err := io.ReadFull(response.Body, head); err != nil {
		t.Fatal(err)
	}
	// What is held for the client stays; what other tests have left goes.
	testutil.Eventually(t, "the heap is as before while the client does not read", func() bool {
		settledHeap(&after)
		return int64(after.HeapAlloc)-int64(before.HeapAlloc) <= 8<<20
	})
	rest, err := io.Copy(io.Discard, response.Body)
	if err != nil || rest < 10<<20 {
		t.Errorf("%d bytes, %v", rest, err)
	}
}

// Two exports run at a time; the third is asked to come later, and may once one has ended.
func TestExportLimit(t *testing.T) {
	h := &archive{n: 500, hold: make(chan struct{})}
	web := httptest.NewServer(exporting(t, h))
	defer web.Close()
	open := func() *http.Response {
		response, err := web.Client().Get(web.URL + "/api/results/export")
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	first, second, third := open(), open(), open()
	if first.StatusCode != 200 || second.StatusCode != 200 || third.StatusCode != 503 || third.Header.Get("Retry-After") == "" {
		t.Errorf("%d, %d and %d, want 200, 200 and 503", first.StatusCode, second.StatusCode, third.StatusCode)
	}
	close(h.hold)
	for _, response := range []*http.Response{first, second, third} {
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		again := open()
		_, _ = io.Copy(io.Discard, again.Body)
		_ = again.Body.Close()
		if again.StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the end of both: %d", again.StatusCode)
		}
	}
}
