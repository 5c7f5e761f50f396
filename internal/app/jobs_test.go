//go:build cgo

package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"edgelens/models/modeltest"
)

// jobAnswer is a job in the API.
type jobAnswer struct {
	ID       string
	TaskID   string `json:"task_id"`
	URL      string `json:"status_url"`
	Status   string
	Attempts int
	Result   *recognition
	Error    *struct{ Code, Detail string }
	Jobs     []jobAnswer
	Results  []struct {
		ID, Outcome string
		JobID       string `json:"job_id"`
		Result      *recognition
	}
	Next string
}

func (a *answer) job(t *testing.T) jobAnswer {
	t.Helper()
	var j jobAnswer
	if err := json.Unmarshal(a.body, &j); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return j
}

// async queues an image and returns the accepted job.
func (s *service) async(t *testing.T, target string, image []byte, header http.Header) jobAnswer {
	t.Helper()
	a := s.sendWith("POST", target, header, image)
	if a.status != http.StatusAccepted {
		t.Fatalf("%s: %d %s", target, a.status, a.body)
	}
	j := a.job(t)
	if j.TaskID == "" || j.URL != "/api/jobs/"+j.TaskID || a.header.Get("Location") != j.URL || a.header.Get("Retry-After") == "" {
		t.Fatalf("the 202 has %s with headers %v", a.body, a.header)
	}
	return j
}

func (s *service) sendWith(method, target string, header http.Header, body []byte) *answer {
	s.t.Helper()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "image/png")
	return s.exchange(method, target, header, bytes.NewReader(body))
}

// wait polls a job as a client does until it is done.
func (s *service) wait(t *testing.T, j jobAnswer) jobAnswer {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		switch done := s.get(j.URL + "?wait=5s").job(t); done.Status {
		case "queued", "running":
		default:
			return done
		}
	}
	t.Fatalf("job %s was never done", j.TaskID)
	return jobAnswer{}
}

// The client of the reference service: queue an image, take the task_id, poll for the result.
func TestAsync(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	for color, rgb := range colors {
		image := modeltest.Image(rgb, 40, 30)
		for name, j := range map[string]jobAnswer{
			"recognize_async": s.async(t, "/api/recognize_async?top_k=1", image, nil),
			"bulk":            s.async(t, "/api/recognize_async?queue=bulk&cache=false", image, nil),
			"respond-async":   s.async(t, "/api/recognize", image, http.Header{"Prefer": {"wait=1, respond-async"}}),
		} {
			done := s.wait(t, j)
			if done.Status != "succeeded" || done.Result == nil || done.Result.Predictions[0].Label != color || done.Attempts != 1 {
				t.Errorf("%s, %s: %+v", color, name, done)
			}
		}
	}
	page := s.get("/api/results?limit=4").job(t)
	if len(page.Results) != 4 || page.Next == "" || page.Results[0].Outcome != "recognized" || page.Results[0].Result == nil {
		t.Errorf("the history: %+v", page)
	}
	if one := s.get("/api/results/" + page.Results[0].ID); one.status != 200 {
		t.Errorf("one result: %d %s", one.status, one.body)
	}
	if red := s.get("/api/results?label=red&limit=100").job(t); len(red.Results) != 3 {
		t.Errorf("%d red results, want 3", len(red.Results))
	}
	// Pages join without a gap, whatever is added meanwhile.
	seen := map[string]bool{}
	for next := ""; ; {
		page := s.get("/api/jobs?limit=2&cursor=" + next).job(t)
		for _, j := range page.Jobs {
			if seen[j.ID] {
				t.Errorf("job %s is on two pages", j.ID)
			}
			seen[j.ID] = true
		}
		if next = page.Next; next == "" {
			break
		}
		s.async(t, "/api/recognize_async", modeltest.Image(modeltest.Red, 7, 7), nil)
	}
	if len(seen) != 9 {
		t.Errorf("%d jobs on all pages, want 9", len(seen))
	}
}

func TestAsyncFailures(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	done := s.wait(t, s.async(t, "/api/recognize_async", []byte("no image"), nil))
	if done.Status != "failed" || done.Error == nil || done.Error.Code != "unsupported_format" || done.Error.Detail == "" {
		t.Errorf("text: %+v", done)
	}
	if a := s.send("DELETE", "/api/jobs/"+done.ID, "", nil); a.status != http.StatusConflict || a.Code != "finished" || a.Detail != "cancel job "+done.ID+": it has ended already with the status failed" {
		t.Errorf("canceling a finished job: %d %s", a.status, a.body)
	}
	for target, want := range map[string]int{
		"GET /api/jobs/" + uuid.NewString():    404,
		"DELETE /api/jobs/" + uuid.NewString(): 404,
		"GET /api/results/" + uuid.NewString(): 404,
		"GET /api/jobs/nonsense":               400,
		"DELETE /api/jobs/nonsense":            400,
		"GET /api/jobs?cursor=nonsense":        400,
		"GET /api/jobs?limit=0":                400,
		"GET /api/jobs?status=asleep":          400,
		"GET /api/results?limit=x":             400,
		"GET /api/results?since=yesterday":     400,
		"GET /api/jobs/" + done.ID + "?wait=x": 400,
		"POST /api/recognize_async":            400,
	} {
		method, path, _ := strings.Cut(target, " ")
		if a := s.send(method, path, "", nil); a.status != want || a.Code == "" {
			t.Errorf("%s: %d %s, want %d", target, a.status, a.body, want)
		}
	}
	image := modeltest.Image(modeltest.Red, 9, 9)
	for query, want := range map[string]int{"model=nope": 404, "top_k=0": 400, "top_k=5000": 400, "min_score=2": 400, "min_score=NaN": 400, "queue=fast": 400} {
		if a := s.sendWith("POST", "/api/recognize_async?"+query, nil, image); a.status != want {
			t.Errorf("%s: %d %s, want %d", query, a.status, a.body, want)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	image := modeltest.Image(modeltest.Red, 9, 9)
	key := func() http.Header { return http.Header{"Idempotency-Key": {"door-7"}} }
	first := s.async(t, "/api/recognize_async", image, key())
	again := s.async(t, "/api/recognize_async", image, key())
	if first.TaskID != again.TaskID {
		t.Errorf("the same key and image gave the jobs %s and %s", first.TaskID, again.TaskID)
	}
	if a := s.sendWith("POST", "/api/recognize_async", key(), modeltest.Image(modeltest.Blue, 9, 9)); a.status != http.StatusConflict {
		t.Errorf("the same key with another image: %d %s", a.status, a.body)
	}
	if a := s.sendWith("POST", "/api/recognize_async", http.Header{"Idempotency-Key": {strings.Repeat("k", 201)}}, image); a.status != http.StatusBadRequest {
		t.Errorf("a long key: %d %s", a.status, a.body)
	}
}

// The event stream has the changes of jobs, and resumes where a client disconnected.
func TestEvents(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	lines, stop := s.follow(t, "")
	j := s.async(t, "/api/recognize_async", modeltest.Image(modeltest.Red, 9, 9), nil)
	s.wait(t, j)
	ids := readEvents(t, lines, j.TaskID, "succeeded")
	stop()
	if len(ids) < 2 {
		t.Fatalf("events %v", ids)
	}
	lines, stop = s.follow(t, ids[0])
	defer stop()
	if again := readEvents(t, lines, j.TaskID, "succeeded"); fmt.Sprint(again) != fmt.Sprint(ids[1:]) {
		t.Errorf("resumed after %s with %v, want %v", ids[0], again, ids[1:])
	}
	if a := s.exchange("GET", "/api/events", http.Header{"Last-Event-Id": {"x"}}, nil); a.status != 400 {
		t.Errorf("a bad Last-Event-ID: %d", a.status)
	}
}

// follow opens the event stream and returns its lines.
func (s *service) follow(t *testing.T, last string) (<-chan string, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer response.Body.Close() // read only
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	if hello := <-lines; !strings.HasPrefix(hello, ":") || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("the stream begins with %q, %v", hello, response.Header)
	}
	return lines, func() { cancel(); <-ended }
}

// readEvents returns the ids of the events up to the one about that job and
// status.
func readEvents(t *testing.T, lines <-chan string, id, status string) []string {
	t.Helper()
	var ids []string
	timeout := time.After(30 * time.Second)
	for {
		select {
		case line := <-lines:
			if id, found := strings.CutPrefix(line, "id: "); found {
				ids = append(ids, id)
			}
			if strings.HasPrefix(line, "data: ") && strings.Contains(line, id) && strings.Contains(line, `"`+status+`"`) {
				return ids
			}
		case <-timeout:
			t.Fatalf("no event about %s after %v", id, ids)
		}
	}
}

// Jobs accepted by one process are finished by the next.
func TestJobsSurviveARestart(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s, _, stop := serving(t, c)
	var accepted []jobAnswer
	for n := range 30 {
		accepted = append(accepted, s.async(t, "/api/recognize_async?cache=false", modeltest.Image(modeltest.Red, 100+n, 900), nil))
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s, _, _ = serving(t, c)
	for _, j := range accepted {
		if done := s.wait(t, j); done.Status != "succeeded" {
			t.Errorf("%+v", done)
		}
	}
}
