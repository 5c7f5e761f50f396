package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

const (
	resultID = "0197a000-0000-8000-8000-00000000000a" // a record's, of version 8
	jobID    = "0197a000-0000-7000-8000-00000000000b"
)

// history returns its content, and keeps the last filter.
type history struct {
	results []edgelens.StoredResult
	filter  edgelens.ResultFilter
}

func (h *history) Result(_ context.Context, id string) (edgelens.StoredResult, error) {
	for _, r := range h.results {
		if r.ID == id {
			return r, nil
		}
	}
	return edgelens.StoredResult{}, fmt.Errorf("%w: no result has this id", edgelens.ErrNotFound)
}

func (h *history) Results(_ context.Context, filter edgelens.ResultFilter) ([]edgelens.StoredResult, string, error) {
	h.filter = filter
	return h.results, "", nil
}

// images are by the job's id.
type images map[string]string

func (p images) Image(_ context.Context, jobID string) ([]byte, error) {
	image, kept := p[jobID]
	if !kept {
		return nil, fmt.Errorf("%w: its image was deleted", edgelens.ErrNotFound)
	}
	return []byte(image), nil
}

// brokenImages cannot be read.
type brokenImages struct{}

func (brokenImages) Image(context.Context, string) ([]byte, error) {
	return nil, errors.New("read /var/lib/secret: input/output error")
}

func newHistory(t *testing.T, kept api.Images, results ...edgelens.StoredResult) (*server, *history) {
	h := &history{results: results}
	return newServer(t, func(_ *api.Config, p *api.Parts) { p.History, p.Images = h, kept }), h
}

func TestResultFilters(t *testing.T) {
	for query, want := range map[string]edgelens.ResultFilter{
		"":                                   {Limit: 50},
		"?outcome=no_image":                  {Limit: 50, Outcome: "no_image"},
		"?source=sync":                       {Limit: 50, Source: "sync"},
		"?source=mqtt&outcome=recognized":    {Limit: 50, Source: "mqtt", Outcome: "recognized"},
		"?device=" + door + "&outcome=error": {Limit: 50, Device: door, Outcome: "error"},
		"?label=cat&limit=7&cursor=x":        {Limit: 7, Label: "cat", Cursor: "x"},
		"?since=2026-04-10T08:00:00Z":        {Limit: 50, Since: morning},
		"?until=2026-04-10T10:00:00%2B02:00": {Limit: 50, Until: morning},
	} {
		t.Run(query, func(t *testing.T) {
			s, h := newHistory(t, nil)
			w := s.do(request("GET", "/api/results"+query, "", nil))
			got := h.filter
			sameTimes := got.Since.Equal(want.Since) && got.Until.Equal(want.Until)
			got.Since, got.Until, want.Since, want.Until = time.Time{}, time.Time{}, time.Time{}, time.Time{}
			if w.Code != 200 || got != want || !sameTimes {
				t.Errorf("got %d and asked for %+v, want %+v", w.Code, h.filter, want)
			}
		})
	}
}

// Each of the four outcomes has its reason.
func TestResults(t *testing.T) {
	looked := &edgelens.Result{RequestID: "r", Image: edgelens.ImageInfo{Width: 1, Height: 1, Format: "jpeg"}}
	rated := looked.Clone()
	rated.Quality, rated.Timings.Quality = &edgelens.Quality{Verdict: edgelens.QualityDark, Score: 0.9}, time.Millisecond
	for name, c := range map[string]struct {
		result edgelens.StoredResult
		want   map[string]any
	}{
		"recognized": {
			edgelens.StoredResult{Outcome: edgelens.OutcomeRecognized, JobID: jobID, Source: "http", Result: looked},
			map[string]any{"outcome": "recognized", "job_id": jobID, "source": "http"},
		},
		"uncertain": {
			edgelens.StoredResult{Outcome: edgelens.OutcomeUncertain, JobID: jobID, Source: "mqtt", Device: door, Reason: "No prediction was probable enough.", Result: looked},
			map[string]any{"outcome": "uncertain", "job_id": jobID, "source": "mqtt", "device": door, "reason": "No prediction was probable enough."},
		},
		"not usable": {
			edgelens.StoredResult{Outcome: edgelens.OutcomeUncertain, JobID: jobID, Source: "mqtt", Device: door, Reason: "The image is dark (0.90).", Result: rated},
			map[string]any{"outcome": "uncertain", "job_id": jobID, "source": "mqtt", "device": door, "reason": "The image is dark (0.90)."},
		},
		"no image": {
			edgelens.StoredResult{Outcome: edgelens.OutcomeNoImage, Source: "mqtt", Device: door, Reason: "The record came without an image."},
			map[string]any{"outcome": "no_image", "source": "mqtt", "device": door, "reason": "The record came without an image."},
		},
		"error": {
			edgelens.StoredResult{Outcome: edgelens.OutcomeError, Source: "mqtt", Device: door, Reason: "It is truncated.", Error: &edgelens.JobError{Code: "bad_image", Detail: "It is truncated."}},
			map[string]any{"outcome": "error", "source": "mqtt", "device": door, "reason": "It is truncated.", "error": map[string]any{"code": "bad_image", "detail": "It is truncated."}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.result.ID, c.result.CreatedAt = resultID, morning
			c.want["id"], c.want["created_at"] = resultID, "2026-04-10T08:00:00Z"
			s, _ := newHistory(t, nil, c.result)
			one := decoded(t, s.do(request("GET", "/api/results/"+resultID, "", nil)))
			listed := decoded(t, s.do(request("GET", "/api/results", "", nil)))["results"].([]any)[0].(map[string]any)
			for _, got := range []map[string]any{one, listed} {
				if (got["result"] != nil) != (c.result.Result != nil) {
					t.Errorf("result: %v", got["result"])
				}
				if looked, ok := got["result"].(map[string]any); ok {
					quality, _ := json.Marshal([]any{looked["quality"], looked["timings_ms"].(map[string]any)["quality"]})
					want := "[null,null]"
					if c.result.Result.Quality != nil {
						want = `[{"score":0.9,"usable":false,"verdict":"dark"},1]`
					}
					if string(quality) != want {
						t.Errorf("quality and its time: %s, want %s", quality, want)
					}
				}
				delete(got, "result")
				gotText, _ := json.Marshal(got)
				if wantText, _ := json.Marshal(c.want); string(gotText) != string(wantText) {
					t.Errorf("got %s, want %s", gotText, wantText)
				}
			}
		})
	}
}

func TestResultImage(t *testing.T) {
	for name, c := range map[string]struct{ image, contentType string }{
		"jpeg":    {"\xff\xd8\xff\xe0 jpeg", "image/jpeg"},
		"png":     {"\x89PNG\r\n\x1a\n png", "image/png"},
		"webp":    {"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"},
		"bmp":     {"BM\x00\x00\x00\x00 bmp", "image/bmp"},
		"page":    {"<html><script>alert(1)</script>", "application/octet-stream"},
		"svg":     {`<?xml version="1.0"?><svg/>`, "application/octet-stream"},
		"gif":     {"GIF89a", "application/octet-stream"},
		"nothing": {"", "application/octet-stream"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newHistory(t, images{jobID: c.image}, edgelens.StoredResult{ID: resultID, JobID: jobID, Outcome: "recognized"})
			w := s.do(request("GET", "/api/results/"+resultID+"/image", "", nil))
			if w.Code != 200 || w.Body.String() != c.image || w.Header().Get("Content-Type") != c.contentType {
				t.Errorf("got %d %s %q", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "private" {
				t.Errorf("headers %v", w.Header())
			}
		})
	}
}

func TestNoResultImage(t *testing.T) {
	withJob := edgelens.StoredResult{ID: resultID, JobID: jobID, Outcome: "recognized"}
	withoutJob := edgelens.StoredResult{ID: resultID, Outcome: "no_image"}
	for name, c := range map[string]struct {
		method, id string
		kept       api.Images
		result     edgelens.StoredResult
		status     int
		want       string
	}{
		"deleted":        {"GET", resultID, images{}, withJob, 404, "ledger.keep_images"},
		"no job":         {"GET", resultID, images{"": "another's"}, withoutJob, 404, "ledger.keep_images"},
		"none are kept":  {"GET", resultID, nil, withJob, 404, "ledger.keep_images"},
		"unknown result": {"GET", jobID, images{}, withJob, 404, "no result"},
		"no id":          {"GET", "7", images{}, withJob, 400, "id"},
		"wrong method":   {"DELETE", resultID, images{}, withJob, 405, "/docs"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newHistory(t, c.kept, c.result)
			w := s.do(request(c.method, "/api/results/"+c.id+"/image", "", nil))
			if p := problem(t, w); w.Code != c.status || !strings.Contains(p["detail"].(string), c.want) {
				t.Errorf("got %d %v, want %d with %q", w.Code, p["detail"], c.status, c.want)
			}
		})
	}
	s, _ := newHistory(t, brokenImages{}, withJob)
	w := httptest.NewRecorder() // openapi.yaml does not speak of what must not happen
	s.ServeHTTP(w, request("GET", "/api/results/"+resultID+"/image", "", nil))
	if problem(t, w); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("a broken disk: %d %s", w.Code, w.Body)
	}
}

func TestHeadOfResultImage(t *testing.T) {
	s, _ := newHistory(t, images{jobID: "\xff\xd8\xff"}, edgelens.StoredResult{ID: resultID, JobID: jobID})
	web := httptest.NewServer(s)
	defer web.Close()
	response, err := web.Client().Head(web.URL + "/api/results/" + resultID + "/image")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != 200 || len(body) != 0 ||
		response.ContentLength != 3 || response.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("%d with %d bytes, %v, %v", response.StatusCode, len(body), response.Header, err)
	}
}

// happened are events; none follow them.
type happened []edgelens.Event

func (h happened) Events(_ context.Context, after int64, limit int) ([]edgelens.Event, error) {
	rest := h[min(after, int64(len(h))):]
	return rest[:min(limit, len(rest))], nil
}

func (h happened) oldest() int64 {
	if len(h) == 0 {
		return 0
	}
	return h[0].Seq
}

func (h happened) OldestEvent(context.Context) (int64, error) { return h.oldest(), nil }

func (h happened) LastEvent(context.Context) (int64, error) { return int64(len(h)), nil }

func (h happened) Subscribe() (wake <-chan struct{}, cancel func()) {
	return make(chan struct{}), func() {}
}

// removed are events of which the first ones are not kept.
type removed struct {
	happened
	kept int64
}

func (r removed) OldestEvent(context.Context) (int64, error) { return r.kept, nil }

func (r removed) Events(ctx context.Context, after int64, limit int) ([]edgelens.Event, error) {
	return r.happened.Events(ctx, max(after, r.kept-1), limit)
}

// A client that resumes after an event which is older than what is kept learns that some are missing, once.
func TestGapOfEvents(t *testing.T) {
	var all happened
	for n := range 9 {
		all = append(all, edgelens.Event{Seq: int64(n + 1), Type: "job", Data: json.RawMessage(`{}`)})
	}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Events = removed{all, 6} })
	web := httptest.NewServer(s)
	defer web.Close()
	for last, want := range map[string]string{
		"2": "id: 5\nevent: gap\ndata: {\"after\":2,\"oldest\":6}\n\nid: 6\nevent: job",
		"5": "id: 6\nevent: job", // the next one is kept
		"7": "id: 8\nevent: job",
	} {
		if got := begun(t, web, last, len(want)); got != want {
			t.Errorf("after %s the stream begins with %q, want %q", last, got, want)
		}
	}
}

// begun returns the first bytes of a stream behind its first comment.
func begun(t *testing.T, web *httptest.Server, last string, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", last)
	response, err := web.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text := make([]byte, len(": hello\n\n")+n)
	if _, err := io.ReadFull(response.Body, text); err != nil {
		t.Fatalf("%v after %q", err, text)
	}
	return string(text[len(": hello\n\n"):])
}

// Events about terminals are in the stream like all others.
func TestDeviceEvents(t *testing.T) {
	s := newServer(t, func(_ *api.Config, p *api.Parts) {
		p.Events = happened{
			{Seq: 1, Type: "job", Data: json.RawMessage(`{"id":"j"}`)},
			{Seq: 2, Type: "device", Data: json.RawMessage(`{"id":"` + door + `","dialect":"fungxi","state":"accepted","online":false}`)},
			{Seq: 3, Type: "recognition", Data: json.RawMessage(`{"id":"r"}`)},
		}
	})
	web := httptest.NewServer(s)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", "1")
	response, err := web.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	const want = "id: 2\nevent: device\ndata: {\"id\":\"" + door + "\",\"dialect\":\"fungxi\",\"state\":\"accepted\",\"online\":false}\n\n" +
		"id: 3\nevent: recognition\ndata: {\"id\":\"r\"}\n\n"
	var got strings.Builder
	for lines := bufio.NewScanner(response.Body); got.Len() < len(want) && lines.Scan(); {
		if line := lines.Text(); line != ": hello" && (line != "" || got.Len() > 0) {
			got.WriteString(line + "\n")
		}
	}
	if got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}
