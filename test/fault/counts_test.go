//go:build fault

package fault

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

// sum adds up the samples of a metric.
func (s *service) sum(metric string) (sum float64) {
	s.t.Helper()
	_, _, text, err := s.exchange("GET", "/metrics", "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, metric+"{"); ok {
			_, number, _ := strings.Cut(rest, "} ")
			v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil {
				s.t.Fatalf("%s: %v", line, err)
			}
			sum += v
		}
	}
	return sum
}

// Hits, misses and bypasses add up to the requests, under any load.
func TestCounts(t *testing.T) {
	s := newService(t)
	s.start()
	c := newClient(t, s)
	broken := images(60)[0].bytes
	broken = broken[:len(broken)-20]
	var group sync.WaitGroup
	const synchronous = 300
	for worker := range 6 {
		group.Go(func() {
			for i := range synchronous / 6 {
				body, query := images(20 + i%9)[i%3].bytes, ""
				if i%5 == worker%5 {
					query = "?cache=false"
				}
				if i%7 == 0 {
					body = broken
				}
				if _, _, _, err := s.exchange("POST", "/api/recognize"+query, "image/png", body); err != nil {
					t.Error(err)
				}
			}
		})
	}
	c.burst(inFlight, images(80), "").Wait()
	c.burst(inFlight, images(80), "cache=false").Wait()
	group.Wait()
	c.kept(resumeWithin)
	requests, results := s.sum("edgelens_requests_total"), s.sum("edgelens_cache_requests_total")
	if requests != results || requests < synchronous+2*inFlight {
		t.Errorf("%v requests, and %v hits, misses and bypasses, of at least %d", requests, results, synchronous+2*inFlight)
	}
	report("%v hits, misses and bypasses for %v requests", results, requests)
}
