//go:build fault

package fault

import "testing"

// A job that crashes the service repeatedly fails at its third start. All others are done: those that arrived while it
// was retried, and those that ran beside it at each crash.
func TestPoison(t *testing.T) {
	s := newService(t, "--jobs-concurrency", "4")
	s.start()
	poison, status, _, err := s.submit(slowImage(), "cache=false")
	if poison == "" {
		t.Fatalf("submit: %d %v", status, err)
	}
	beside, after := newClient(t, s), newClient(t, s)
	beside.burst(3, []image{slowImage()}, "cache=false").Wait()
	starts := 0
	var j job
	for j.Status != "failed" {
		s.until("the job has started, or failed", resumeWithin, func() bool {
			now, ok, err := s.look(poison, "0s")
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				j = now
			}
			return ok && (j.terminal() || j.Status == "running" && j.Attempts > starts)
		})
		if j.Status == "succeeded" {
			t.Skip("the machine is too fast for this test: the job was done before the kill")
		}
		if j.Status == "running" {
			starts++
			after.burst(inFlight/2, images(60), "cache=false").Wait()
			s.kill()
			s.start()
		}
	}
	if starts > 2 || j.Attempts > 3 || j.Error == nil || j.Error.Code != "poison" {
		t.Errorf("it was worked on %d times and ended %s", starts, j.outcome())
	}
	beside.kept(resumeWithin)
	after.kept(resumeWithin)
	again := 0
	for _, c := range []*client{beside, after} {
		c.unchanged()
		for _, p := range c.promises {
			again += p.last.Attempts - 1
		}
	}
	// A worker prefetches twice as many jobs as it runs concurrently.
	if n := len(after.promises); n != starts*(inFlight/2) || again > starts*7 {
		t.Errorf("%d jobs that came later; all others needed %d attempts more than one each, for %d kills", n, again, starts)
	}
	report("a job that crashed the service %d times failed; 3 beside it and %d that arrived meanwhile succeeded, with %d attempts more than one each",
		starts, len(after.promises), again)
}
