//go:build fault

package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"edgelens/models/modeltest"
)

// inFlight is how many jobs of a client are under way at a failure.
const inFlight = 50

// image is a client's image with its expected label.
type image struct {
	label string
	bytes []byte
}

// images returns one of each color.
func images(side int) []image {
	return []image{
		{"red", modeltest.Image(modeltest.Red, side, side)},
		{"green", modeltest.Image(modeltest.Green, side, side)},
		{"blue", modeltest.Image(modeltest.Blue, side, side)},
	}
}

// busyImages take a few hundredths of a second each, so that 50 of them take about a second.
var busyImages = sync.OnceValue(func() []image { return images(1500) })

// slowImage takes about half a second.
var slowImage = sync.OnceValue(func() image { return image{"red", modeltest.Image(modeltest.Red, 7000, 7000)} })

// job is a job in the API.
type job struct {
	ID         string
	Status     string
	Attempts   int
	FinishedAt string `json:"finished_at"`
	Result     *struct{ Predictions []struct{ Label string } }
	Error      *struct{ Code, Detail string }
}

func (j job) terminal() bool { return j.Status != "queued" && j.Status != "running" }

// outcome is the immutable part of a finished job.
func (j job) outcome() string {
	text := j.Status + " at " + j.FinishedAt + " "
	if j.Result != nil && len(j.Result.Predictions) > 0 {
		text += j.Result.Predictions[0].Label
	}
	if j.Error != nil {
		text += j.Error.Code + ": " + j.Error.Detail
	}
	return text
}

var web = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * inFlight}}

// exchange sends one request; the error is the network's.
func (s *service) exchange(method, target, contentType string, body []byte) (status int, header http.Header, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.url.Load().(string)+target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	r.Header.Set("Content-Type", contentType)
	response, err := web.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close() // read only
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, response.Header, answer, err
}

// submit posts an image. id is empty where there was no whole 202.
func (s *service) submit(p image, query string) (id string, status int, header http.Header, err error) {
	status, header, answer, err := s.exchange("POST", "/api/recognize_async?"+query, "image/png", p.bytes)
	if err != nil || status != http.StatusAccepted {
		return "", status, header, err
	}
	var accepted struct {
		TaskID string `json:"task_id"`
	}
	if err := json.Unmarshal(answer, &accepted); err != nil || accepted.TaskID == "" {
		return "", status, header, fmt.Errorf("the 202 has %q: %w", answer, err)
	}
	return accepted.TaskID, status, header, nil
}

// look requests a job once. ok is false where the service did not answer 200 because it is down or busy; any other
// answer is an error.
func (s *service) look(id, wait string) (j job, ok bool, err error) {
	status, _, answer, err := s.exchange("GET", "/api/jobs/"+id+"?wait="+wait, "", nil)
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
		return job{}, false, nil
	case status != http.StatusOK:
		return job{}, false, fmt.Errorf("a job that got a 202 has the answer %d %s", status, answer)
	}
	return j, true, json.Unmarshal(answer, &j)
}

// promise is a 202 that a client got.
type promise struct {
	id, label string
	// last is the last seen job, terminal or not.
	last job
}

// client records its promises, and polls for each like an app.
type client struct {
	t *testing.T
	s *service

	mu       sync.Mutex
	promises []*promise
	errs     []string
	polls    sync.WaitGroup
	quit     chan struct{}
}

func newClient(t *testing.T, s *service) *client {
	c := &client{t: t, s: s, quit: make(chan struct{})}
	t.Cleanup(func() { close(c.quit); c.polls.Wait() })
	return c
}

// promised records a 202 and polls from then on until the job is done.
func (c *client) promised(id string, p image) {
	promise := &promise{id: id, label: p.label}
	c.mu.Lock()
	c.promises = append(c.promises, promise)
	c.mu.Unlock()
	c.polls.Go(func() { c.poll(promise) })
}

func (c *client) poll(p *promise) {
	for {
		j, ok, err := c.s.look(p.id, "2s")
		c.mu.Lock()
		if err != nil {
			c.errs = append(c.errs, fmt.Sprintf("%s: %v", p.id, err))
		} else if ok {
			p.last = j
		}
		c.mu.Unlock()
		if err != nil || ok && j.terminal() {
			return
		}
		pause := 20 * time.Millisecond
		if ok {
			pause = 0 // it was a long poll
		}
		select {
		case <-c.quit:
			return
		case <-time.After(pause):
		}
	}
}

// burst submits n images from a few goroutines until all are accepted, or the service is down. The caller waits for the
// returned group.
func (c *client) burst(n int, of []image, query string) *sync.WaitGroup {
	var group sync.WaitGroup
	numbers := make(chan int, n)
	for i := range n {
		numbers <- i
	}
	close(numbers)
	for range 8 {
		group.Go(func() {
			for i := range numbers {
				p := of[i%len(of)]
				id, _, _, err := c.s.submit(p, query)
				if err != nil {
					return // killed meanwhile
				}
				if id != "" {
					c.promised(id, p)
				}
			}
		})
	}
	return &group
}

// count returns the number of promises and how many of them are not seen as done.
func (c *client) count() (all, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.promises {
		if !p.last.terminal() || p.last.Status == "" {
			open++
		}
	}
	return len(c.promises), open
}

// ended waits until the client has seen the terminal state of every job.
func (c *client) ended(within time.Duration) {
	c.t.Helper()
	deadline := time.Now().Add(within)
	for {
		_, open := c.count()
		c.mu.Lock()
		errs := c.errs
		c.mu.Unlock()
		if len(errs) > 0 {
			c.t.Fatalf("promises broken: %q", errs)
		}
		if open == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%d jobs are not done after %v, such as %s", open, within, c.firstOpen())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// kept waits until the client has seen the terminal state of every job, which must be success with the right label.
func (c *client) kept(within time.Duration) {
	c.t.Helper()
	c.ended(within)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.promises {
		p.mustHaveSucceeded(c.t)
	}
}

func (p *promise) mustHaveSucceeded(t *testing.T) {
	t.Helper()
	if j := p.last; j.Status != "succeeded" || j.Result == nil || len(j.Result.Predictions) == 0 || j.Result.Predictions[0].Label != p.label {
		t.Fatalf("the image of %s ended as %s after %d attempts (job %s)", p.label, j.outcome(), j.Attempts, p.id)
	}
}

func (c *client) firstOpen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.promises {
		if !p.last.terminal() || p.last.Status == "" {
			return fmt.Sprintf("%s, last seen %q after %d attempts", p.id, p.last.Status, p.last.Attempts)
		}
	}
	return "none"
}

// unchanged requests every job again: its outcome must be the same in every detail.
func (c *client) unchanged() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.promises {
		j, ok, err := c.s.look(p.id, "0s")
		if !ok || err != nil {
			c.t.Fatalf("job %s cannot be looked at: %v", p.id, err)
		}
		if j.outcome() != p.last.outcome() {
			c.t.Fatalf("job %s was %s and now is %s", p.id, p.last.outcome(), j.outcome())
		}
	}
}
