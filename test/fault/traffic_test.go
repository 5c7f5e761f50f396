//go:build fault

package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	// jobShare is how many requests there are for each that submits a job.
	jobShare = 4
	// requestTimeout is that of a client.
	requestTimeout = 20 * time.Second
	// jobWait is for how long a client asks to wait for a job's end.
	jobWait = 10 * time.Second
)

// traffic is clients that send images to a balancer at a fixed rate: to be recognized at once, and as jobs, of which they
// wait for the end. They repeat nothing.
type traffic struct {
	image []byte
	http  *http.Client
	bases []string // where to ask for a job
	// patient has a client ask again for a job, and not count that as a failure.
	patient bool

	mu       sync.Mutex
	answered int
	slowest  time.Duration
	jobs     []string
	failures []string
	ends     map[string]string // of jobs

	quit    chan struct{}
	pacing  sync.WaitGroup
	clients sync.WaitGroup
}

// newTraffic begins to send. With nodes, the clients tolerate a version without what this test is about: each opens a
// connection for each request, and asks those nodes themselves for its jobs, until the accepting one answers.
func newTraffic(t *testing.T, base string, image []byte, rate float64, nodes []string) *traffic {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: drainTime / 2, DisableKeepAlives: nodes != nil}
	tr := &traffic{
		bases: nodes, patient: nodes != nil,
		image: image, ends: map[string]string{}, quit: make(chan struct{}),
		// Connections are used again, but not after a time in which the node may close them.
		http: &http.Client{Timeout: requestTimeout, Transport: transport},
	}
	if nodes == nil {
		tr.bases = []string{base}
	}
	tr.pacing.Go(func() { tr.send(base, rate) })
	t.Cleanup(tr.stop)
	return tr
}

// stop ends the sending, and returns when every client has its answers.
func (tr *traffic) stop() {
	select {
	case <-tr.quit:
	default:
		close(tr.quit)
	}
	tr.pacing.Wait()
	tr.clients.Wait()
}

func (tr *traffic) send(base string, rate float64) {
	begin := time.Now()
	for n := 0; ; n++ {
		select {
		case <-time.After(time.Until(begin.Add(time.Duration(float64(n) / rate * float64(time.Second))))):
		case <-tr.quit:
			return
		}
		tr.clients.Go(func() {
			if n%jobShare == 0 {
				tr.submit(base)
			} else {
				tr.recognize(base)
			}
		})
	}
}

// exchange sends a request whose body can be sent once, so that nothing below repeats it.
func (tr *traffic) exchange(method, url string, body []byte) (status int, answer []byte, err error) {
	var reader io.Reader
	if body != nil {
		reader = io.NopCloser(bytes.NewReader(body))
	}
	r, err := http.NewRequestWithContext(context.Background(), method, url, reader)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		r.ContentLength = int64(len(body))
		r.Header.Set("Content-Type", "image/png")
	}
	response, err := tr.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() // read only
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

func (tr *traffic) recognize(base string) {
	begun := time.Now()
	status, answer, err := tr.exchange(http.MethodPost, base+"/api/recognize?cache=false", tr.image)
	if err != nil || status != http.StatusOK {
		tr.fail("a recognition", begun, status, answer, err)
		return
	}
	tr.note(func() {
		tr.answered++
		tr.slowest = max(tr.slowest, time.Since(begun))
	})
}

// submit submits a job, and waits for its end. It returns the job's id.
func (tr *traffic) submit(base string) {
	begun := time.Now()
	status, answer, err := tr.exchange(http.MethodPost, base+"/api/recognize_async?cache=false", tr.image)
	var accepted struct {
		TaskID string `json:"task_id"`
	}
	if err == nil && status == http.StatusAccepted {
		err = json.Unmarshal(answer, &accepted)
	}
	if err != nil || status != http.StatusAccepted || accepted.TaskID == "" {
		tr.fail("a job", begun, status, answer, err)
		return
	}
	tr.note(func() { tr.jobs = append(tr.jobs, accepted.TaskID) })
	tr.await(accepted.TaskID)
}

// await asks for a job until it has ended.
func (tr *traffic) await(id string) {
	for begun := time.Now(); time.Since(begun) < time.Minute; {
		asked := time.Now()
		status, answer, err := tr.look(id)
		var j job
		if err == nil && status == http.StatusOK {
			err = json.Unmarshal(answer, &j)
		}
		switch {
		case (err != nil || status != http.StatusOK) && tr.patient:
			time.Sleep(100 * time.Millisecond)
		case err != nil || status != http.StatusOK:
			tr.fail("a look at job "+id, asked, status, answer, err)
			time.Sleep(100 * time.Millisecond) // it is counted, and the job's end is still of interest
		case j.terminal():
			tr.note(func() { tr.ends[id] = j.Status })
			return
		}
	}
	tr.note(func() { tr.failures = append(tr.failures, "job "+id+" does not end") })
}

// look asks the first of the bases that knows the job.
func (tr *traffic) look(id string) (status int, answer []byte, err error) {
	for _, base := range tr.bases {
		status, answer, err = tr.exchange(http.MethodGet, fmt.Sprintf("%s/api/jobs/%s?wait=%s", base, id, jobWait), nil)
		if err == nil && status != http.StatusNotFound {
			return status, answer, nil
		}
	}
	return status, answer, err
}

func (tr *traffic) fail(what string, begun time.Time, status int, answer []byte, err error) {
	text := fmt.Sprintf("%s at %s got %d %s %v after %v", what, begun.Format("15:04:05.000"), status, answer, err, time.Since(begun).Round(time.Millisecond))
	tr.note(func() { tr.failures = append(tr.failures, text) })
}

func (tr *traffic) note(change func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	change()
}

// outcome is what the clients have seen so far.
func (tr *traffic) outcome() (answered int, jobs []string, slowest time.Duration, failures []string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.answered, slices.Clone(tr.jobs), tr.slowest, slices.Clone(tr.failures)
}

// endOf is how the client saw a job end.
func (tr *traffic) endOf(id string) string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.ends[id]
}
