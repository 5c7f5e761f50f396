//go:build fault

package fault

import (
	"bufio"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// resumeWithin is the maximum time after a restart until all jobs under way are done.
const resumeWithin = 15 * time.Second

// Whenever the service is killed, the next one keeps every 202.
func TestKillService(t *testing.T) {
	s := newService(t)
	s.start()
	var clients []*client
	var underWay, most int
	var slowest time.Duration
	n := rounds(t)
	for round := range n {
		c := newClient(t, s)
		sent := c.burst(inFlight, busyImages(), "cache=false")
		// At a random point: after so many were accepted, and then some.
		after := rand.IntN(inFlight + 1)
		s.until("the jobs are accepted", startWithin, func() bool { all, _ := c.count(); return all >= after })
		time.Sleep(rand.N(150 * time.Millisecond))
		_, open := c.count()
		s.kill()
		sent.Wait()
		s.noOrphans()
		if rand.IntN(3) == 0 { // and once more while it starts
			s.spawn()
			time.Sleep(rand.N(30 * time.Millisecond))
			s.kill()
			s.noOrphans()
		}
		s.start()
		c.kept(resumeWithin)
		slowest = max(slowest, time.Since(s.life.born))
		c.unchanged()
		if round > 0 {
			clients[round-1].unchanged()
		}
		if got := len(s.children()); got != 1 {
			t.Fatalf("%d redis-servers run", got)
		}
		underWay, most = underWay+open, max(most, open)
		clients = append(clients, c)
		if (round+1)%max(1, n/20) == 0 {
			report("killed %d of %d times: nothing lost; %d jobs were under way, at most %d at a time; all done at most %.1f s after the restart",
				round+1, n, underWay, most, slowest.Seconds())
		}
	}
	promises := 0
	for _, c := range clients {
		c.unchanged()
		promises += len(c.promises)
	}
	ends := s.terminalEvents()
	for _, c := range clients {
		for _, p := range c.promises {
			if !slices.Equal(ends[p.id], []string{"succeeded"}) {
				t.Errorf("job %s has the ends %q in the events", p.id, ends[p.id])
			}
		}
	}
	report("%d rounds, %d promises, all kept, each with one end in the events", n, promises)
	s.stop()
	s.noOrphans()
}

// terminalEvents reads the whole stream and returns the terminal states in it by job id.
func (s *service) terminalEvents() map[string][]string {
	s.t.Helper()
	last, _, _, err := s.submit(images(8)[0], "") // its end is where to stop
	if err != nil || last == "" {
		s.t.Fatalf("submit: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", s.url.Load().(string)+"/api/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", "0")
	response, err := web.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close() // read only
	ends := map[string][]string{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		var event struct{ ID, Status string }
		if !isData || json.Unmarshal([]byte(data), &event) != nil || event.Status == "" || !(job{Status: event.Status}).terminal() {
			continue
		}
		ends[event.ID] = append(ends[event.ID], event.Status)
		if event.ID == last {
			return ends
		}
	}
	s.t.Fatalf("the event stream ends after %d jobs, before the last job", len(ends))
	return nil
}
