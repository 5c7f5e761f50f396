//go:build fault

package fault

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// canceling has the outcomes of a client's DELETEs.
type canceling struct {
	mu sync.Mutex
	// answers are by job: 200, 409, or 0 where the service was killed first.
	answers map[string]int
	// then is the job in the 200, or found after the 409.
	then map[string]job
}

// begun waits until a job was started, or the service is down.
func (c *client) begun(p *promise) {
	for {
		j, ok, err := c.s.look(p.id, "0s")
		if !ok || err != nil || j.Attempts > 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// cancelSome sends a DELETE for every other promise, at a moment of its own
// within the span, for the first one when it runs, and returns when all are sent.
func (c *client) cancelSome(span time.Duration) *canceling {
	all := &canceling{answers: map[string]int{}, then: map[string]job{}}
	c.mu.Lock()
	promises := slices.Clone(c.promises)
	c.mu.Unlock()
	var group sync.WaitGroup
	for i, p := range promises {
		if i%2 == 1 {
			continue
		}
		moment := rand.N(span)
		group.Go(func() {
			if i == 0 {
				c.begun(p)
			} else {
				time.Sleep(moment) // not for a condition: the moment is what is varied
			}
			status, _, body, err := c.s.exchange("DELETE", "/api/jobs/"+p.id, "", nil)
			var j job
			switch {
			case err != nil:
				status = 0
			case status == http.StatusOK:
				err = json.Unmarshal(body, &j)
			case status == http.StatusConflict:
				var ok bool
				if j, ok, err = c.s.look(p.id, "0s"); !ok && err == nil {
					status = 0 // the service was killed before the answer
				}
			default:
				c.t.Errorf("DELETE of job %s: %d %s", p.id, status, body)
			}
			if status != 0 && err != nil {
				c.t.Errorf("DELETE of job %s: %v", p.id, err)
			}
			all.mu.Lock()
			defer all.mu.Unlock()
			all.answers[p.id], all.then[p.id] = status, j
		})
	}
	group.Wait()
	return all
}

// Jobs are canceled while they are queued, running and done, and service and Redis are killed meanwhile. The answer to
// a DELETE stays valid, and a job has one terminal state.
func TestCancel(t *testing.T) {
	s := newService(t)
	s.start()
	errs := map[string]func(){
		"kill -9 of the service": func() { s.kill(); s.start() },
		"kill -9 of Redis": func() {
			for _, pid := range s.children() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		},
	}
	var clients []*client
	found := map[string]int{}
	for range slowRounds(t) {
		for _, problem := range errs {
			c := newClient(t, s)
			// The first one takes long enough to be running.
			c.burst(1, []image{slowImage()}, "cache=false").Wait()
			c.burst(inFlight, busyImages(), "cache=false").Wait()
			var deletes *canceling
			var sent sync.WaitGroup
			sent.Go(func() { deletes = c.cancelSome(800 * time.Millisecond) })
			time.Sleep(rand.N(800 * time.Millisecond)) // not for a condition: the moment is what is varied
			problem()
			sent.Wait()
			c.ended(resumeWithin)
			c.unchanged()
			c.asAnswered(deletes, found)
			clients = append(clients, c)
		}
	}
	s.kill()
	s.start()
	ends, results := s.terminalEvents(), s.resultsByJob()
	for _, c := range clients {
		c.unchanged()
		for _, p := range c.promises {
			if !slices.Equal(ends[p.id], []string{p.last.Status}) {
				t.Errorf("job %s is %s and has the ends %q in the events", p.id, p.last.Status, ends[p.id])
			}
			want := 1
			if p.last.Status == "canceled" {
				want = 0
			}
			if results[p.id] != want {
				t.Errorf("job %s is %s and has %d results", p.id, p.last.Status, results[p.id])
			}
		}
	}
	for _, state := range []string{"queued", "running", "done"} {
		if found[state] == 0 {
			t.Errorf("no DELETE found its job %s, so this does not test it", state)
		}
	}
	report("DELETEs found their jobs in these states, or were cut off: %v; each job has one end", found)
}

// asAnswered compares the terminal states of jobs with the answers to DELETEs, and counts in which state they found
// them.
func (c *client) asAnswered(deletes *canceling, found map[string]int) {
	c.t.Helper()
	for _, p := range c.promises {
		status, asked := deletes.answers[p.id]
		then := deletes.then[p.id]
		switch {
		case !asked: // must not be canceled
			p.mustHaveSucceeded(c.t)
		case status == 0:
			found["cut off"]++
			if p.last.Status != "canceled" {
				p.mustHaveSucceeded(c.t)
			}
		case then.outcome() != p.last.outcome() || status == http.StatusOK && then.Status != "canceled" || !then.terminal():
			c.t.Errorf("DELETE of job %s got %d and found %s; now it is %s", p.id, status, then.outcome(), p.last.outcome())
		case status == http.StatusConflict:
			found["done"]++
			p.mustHaveSucceeded(c.t)
		case then.Attempts > 0:
			found["running"]++
		default:
			found["queued"]++
		}
	}
}

// resultsByJob reads the whole history and counts the results of each job.
func (s *service) resultsByJob() map[string]int {
	s.t.Helper()
	count := map[string]int{}
	for cursor := ""; ; {
		status, _, body, err := s.exchange("GET", "/api/results?limit=100&cursor="+url.QueryEscape(cursor), "", nil)
		if err != nil || status != http.StatusOK {
			s.t.Fatalf("results: %d %s %v", status, body, err)
		}
		var page struct {
			Results []struct {
				JobID string `json:"job_id"`
			}
			Next string
		}
		if err := json.Unmarshal(body, &page); err != nil {
			s.t.Fatal(err)
		}
		for _, r := range page.Results {
			count[r.JobID]++
		}
		if cursor = page.Next; cursor == "" {
			return count
		}
	}
}
