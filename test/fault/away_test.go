//go:build fault

package fault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// halfAnHour of records at this rate is the backlog.
	halfAnHour       = 30 * time.Minute
	recordsPerSecond = 5
	// backlogPadding is the size added to each image, and mostBacklogGrowth the maximum growth of the service's memory
	// between the start and the end of the backlog. All images together would be 180 MB.
	backlogPadding    = 20_000
	mostBacklogGrowth = 48 << 20
)

// backlog is the number of queued records: those of half an hour, or few with few rounds.
func backlog(t *testing.T) int {
	few := min(max(400, 45*rounds(t)), int(halfAnHour.Seconds())*recordsPerSecond)
	return setting(t, "FAULT_RECORDS", few, strconv.Atoi)
}

// largeImage is a unique image of some size.
func largeImage(n int) []byte {
	return withNoise(images(20 + n%9)[n%3], backlogPadding).bytes
}

func fiveTerminals(s *site, acked bool) {
	for i := range 3 {
		s.addFungxi(fmt.Sprint("F", i), acked)
	}
	for i := range 2 {
		s.addCamera(fmt.Sprint("C", i))
	}
}

// converse has each terminal send one record after the other, the next when the listener has received the last, and
// returns the latencies.
func (s *site) converse(n int, each func(done int)) (took []time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	var next atomic.Int64
	for _, d := range s.devices {
		group.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				r, message := d.new(time.Now(), largeImage(i))
				arrived := s.received.coming(r.id)
				if !d.deliver(ctx, r, message) {
					return
				}
				select {
				case <-arrived:
				case <-time.After(endWithin):
					s.t.Errorf("%s: record %s was not received", d.serial, r.id)
					return
				}
				mu.Lock()
				took = append(took, time.Since(r.begun))
				each(len(took))
				mu.Unlock()
			}
		})
	}
	group.Wait()
	slices.Sort(took)
	return took
}

// watchMemory samples the resident memory until the returned function is called, which returns the maximum.
func (s *site) watchMemory() (most func() int64) {
	quit, done := make(chan struct{}), make(chan struct{})
	var peak int64
	go func() {
		defer close(done)
		for {
			peak = max(peak, s.rss())
			select {
			case <-quit:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		close(quit)
		<-done
		return peak
	}
}

func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100].Round(100 * time.Microsecond)
}

// The business server returns 500, hangs and resets for half an hour: afterwards it gets all records, and the listener
// to events is not affected.
func TestBusinessServerDownHalfAnHour(t *testing.T) {
	n := backlog(t)
	s := newSite(t, "--fungxi-ack", "echo", "--webhook-timeout", "1s")
	fiveTerminals(s, true)
	before := s.converse(n/10, func(int) {})
	s.settle()
	most := s.watchMemory()
	s.business.setFailing(true)
	s.until("the business server fails in every way", startWithin, func() bool {
		s.converse(len(s.devices), func(int) {})
		return slices.Min(s.business.tried()) > 0
	})
	began := time.Now()
	var early int64
	during := s.converse(n, func(done int) {
		if done == n/10 {
			early = s.rss()
		}
		if done%max(1000, n/5) == 0 {
			report("%d of %d records, %d MiB resident", done, n, s.rss()>>20)
		}
	})
	filled := time.Since(began)
	waiting := s.sent() - s.business.count()
	s.business.setFailing(false)
	back := time.Now()
	s.settle()
	took, peak := time.Since(back), most()
	s.compare()
	report("the business server was down (%v tries: 500, hanging, reset) for %d records in %.0f s; %d were queued, all delivered %.1f s after it was back", s.business.tried(), n, filled.Seconds(), waiting, took.Seconds())
	report("from record to event: p50 %v and p99 %v with it, p50 %v and p99 %v without", percentile(before, 50), percentile(before, 99), percentile(during, 50), percentile(during, 99))
	report("%d MiB resident after a tenth of the backlog, at most %d MiB", early>>20, peak>>20)
	if waiting < n {
		t.Errorf("only %d records waited", waiting)
	}
	if a, b := percentile(before, 50), percentile(during, 50); b > a*3/2 {
		t.Errorf("events took %v with the business server, %v without it", a, b)
	}
	if peak-early > mostBacklogGrowth {
		t.Errorf("it grew by %d MiB, and %d may be", (peak-early)>>20, mostBacklogGrowth>>20)
	}
}

// The broker is down for half an hour, by the terminals' clocks. They deliver all records at once afterwards, and old
// ones are marked as such.
func TestBrokerDownHalfAnHour(t *testing.T) {
	n := backlog(t)
	broker := newBroker(t)
	s := newSiteAt(t, broker.address, "--mqtt-url", "mqtt://"+broker.address)
	fiveTerminals(s, false)
	s.until("the subscriptions are on the broker's disk", startWithin, func() bool {
		kept, _ := os.ReadFile(filepath.Join(broker.dir, "mosquitto.db")) // perhaps not there yet
		return subscriptionsIn(kept)
	})
	s.converse(50, func(int) {})
	live := s.sent()
	broker.kill()
	away := outage(t)
	time.Sleep(away)
	early, most := s.rss(), s.watchMemory()
	broker.start()
	back := time.Now()
	s.deliverAll(n, back)
	sent := time.Since(back)
	s.settle()
	took, peak := time.Since(back), most()
	lost := s.compare()
	old := 0
	for _, d := range s.devices {
		for _, r := range d.all() {
			if event, _ := s.received.get(r.id); event.Replayed {
				old++
			}
		}
	}
	report("the broker was down: %d records delivered within %.1f s of its return, all published after %.1f s, %d of them marked as old; %d MiB resident before, at most %d MiB",
		s.sent()-live, sent.Seconds(), took.Seconds(), old, early>>20, peak>>20)
	if lost > 0 || old < n*9/10 || old >= n+live {
		t.Errorf("%d lost, %d marked as old of %d, and %d before", lost, old, n, live)
	}
	if peak-early > mostBacklogGrowth {
		t.Errorf("it grew by %d MiB, and %d may be", (peak-early)>>20, mostBacklogGrowth>>20)
	}
}

// deliverAll has the terminals send n records of the last half hour as fast as they are acknowledged.
func (s *site) deliverAll(n int, now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	var group sync.WaitGroup
	for i, d := range s.devices {
		group.Go(func() {
			for k := i; k < n; k += len(s.devices) {
				captured := now.Add(-halfAnHour + time.Duration(k)*halfAnHour/time.Duration(n))
				r, message := d.new(captured, largeImage(k))
				if !d.deliver(ctx, r, message) {
					return
				}
				if (k+1)%2000 == 0 {
					report("%d of %d records delivered, %d received", k+1, n, s.received.count())
				}
			}
		})
	}
	group.Wait()
}
