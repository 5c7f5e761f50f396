//go:build fault

package fault

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// rolloutNodes is how many nodes accept requests.
	rolloutNodes = 2
	// measureFor is how long the rate of one node is measured.
	measureFor = 2 * time.Second
	// rolloutBurst is how many jobs a node gets just before it is stopped: more than it has at hand.
	rolloutBurst = 30
)

// The nodes behind a load balancer are replaced by another version, one by one, while clients send images at half the
// rate of one node, and terminals their records: no request fails, each accepted job ends once, other nodes work on the
// jobs of the one that stops, and each record has its event. With EDGELENS_TEST_ROLLOUT_FROM, the program of an earlier
// version, the nodes have that at first, so that both read what the other stores and sends.
func TestRollout(t *testing.T) {
	versions := []program{builtProgram(t), nextProgram(t)}
	earlier := os.Getenv("EDGELENS_TEST_ROLLOUT_FROM")
	first := versions[1]
	if earlier != "" {
		first = programAt(t, earlier)
	}
	model, _ := photograph(t)
	redis, broker, business := newRedis(t), newBroker(t), newBusiness(t)
	f := newFleet(t, rolloutNodes, first, append(model, "--redis-url", redis.url, "--mqtt-url", "mqtt://"+broker.address, "--mqtt-group", "site",
		"--webhook-url", business.URL, "--webhook-records", "all", "--terminal-zone", "UTC", "--fungxi-ack", "echo")...)
	image := images(224)[0].bytes
	rate := rateOf(f.nodes[0].service, image)

	s := &site{service: f.nodes[0].service, broker: broker.address, business: business, received: newBook()}
	chatting := chatWith(t, s)
	var nodes []string
	if earlier != "" {
		nodes = f.urls()
	}
	tr := newTraffic(t, f.balancer.url(), image, rate/2, nodes)
	n := max(1, rounds(t)/10)
	begun := time.Now()
	for round := range n {
		version := versions[round%2]
		for _, node := range f.nodes {
			tr.burst(node.service, rolloutBurst)
			f.replace(node, version)
		}
		answered, jobs, slowest, failures := tr.outcome()
		report("%d of %d times replaced by %s: %d recognitions at half of %.0f/s, the slowest took %d ms; %d jobs; %d failures",
			round+1, n, version.version, answered, rate, slowest.Milliseconds(), len(jobs), len(failures))
	}
	took := time.Since(begun)
	tr.stop()
	chatting()

	answered, jobs, _, failures := tr.outcome()
	for _, failure := range failures[:min(len(failures), 20)] {
		t.Error(failure)
	}
	if refused := f.balancer.refused.Load(); refused > 0 {
		t.Errorf("the balancer found no node for %d connections", refused)
	}
	if want := rate / 2 * took.Seconds() / 2; float64(answered) < want {
		t.Errorf("only %d recognitions were answered, so this tests less than it should", answered)
	}
	f.checkJobs(tr, jobs)
	s.checkEvents()
}

func (f *fleet) urls() []string {
	var all []string
	for _, n := range f.nodes {
		all = append(all, "http://"+n.address)
	}
	return all
}

// rateOf measures the rate of recognitions of a node.
func rateOf(s *service, image []byte) float64 {
	s.t.Helper()
	var answered atomic.Int64
	var clients sync.WaitGroup
	begun := time.Now()
	for range 4 {
		clients.Go(func() {
			for time.Since(begun) < measureFor {
				if status, _, answer, err := s.exchange("POST", "/api/recognize?cache=false", "image/png", image); status != 200 {
					s.t.Errorf("while the rate is measured: %d %s %v", status, answer, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	clients.Wait()
	return float64(answered.Load()) / time.Since(begun).Seconds()
}

// burst submits jobs to a node itself, and returns when they are accepted.
func (tr *traffic) burst(s *service, n int) {
	_, before, _, _ := tr.outcome()
	for range n {
		tr.clients.Go(func() { tr.submit(s.url.Load().(string)) })
	}
	s.until("the jobs are accepted", startWithin, func() bool {
		_, now, _, _ := tr.outcome()
		return len(now) >= len(before)+n
	})
}

// checkJobs checks that each job ended once, as the clients and the events of the accepting nodes have it, and that other
// nodes have worked on some.
func (f *fleet) checkJobs(tr *traffic, jobs []string) {
	f.t.Helper()
	for _, id := range jobs {
		if end := tr.endOf(id); end != "succeeded" {
			f.t.Errorf("job %s ended as %q for its client", id, end)
		}
	}
	ended := func() (missing []string, repeated int) {
		for _, id := range jobs {
			var ends []string
			for _, n := range f.nodes {
				ends = append(ends, n.stream.endsOf(id)...)
			}
			if len(ends) == 0 {
				missing = append(missing, id)
			} else if !slices.Equal(ends, []string{"succeeded"}) {
				repeated++
			}
		}
		return missing, repeated
	}
	f.nodes[0].until("every job's end is in the events", startWithin, func() bool { missing, _ := ended(); return len(missing) == 0 })
	if _, repeated := ended(); repeated > 0 {
		f.t.Errorf("%d jobs have other ends in the events than one success", repeated)
	}
	taken, doneTwice, seen := 0, 0, map[string]bool{}
	for _, n := range f.nodes {
		own, others := n.recognized()
		taken += len(others)
		for _, id := range append(own, others...) {
			if seen[id] {
				doneTwice++
			}
			seen[id] = true
		}
		for _, problem := range n.stream.problems() {
			f.t.Errorf("the events of %s: %s", n.address, problem)
		}
	}
	report("%d jobs, each with one end; another node than the accepting one worked on %d of these and of the records' jobs; %d were recognized more than once", len(jobs), taken, doneTwice)
	if taken == 0 {
		f.t.Error("no node worked on another's jobs, so this tests nothing")
	}
}

// chatWith has terminals send records until the function is called, which returns when they are acknowledged.
func chatWith(t *testing.T, s *site) (end func()) {
	t.Helper()
	s.key.Store(time.Now().Unix() * 1000)
	s.listen()
	for i := range 2 {
		s.addFungxi(fmt.Sprint("F", i), true)
	}
	s.addCamera("C0")
	ctx, giveUp := context.WithCancel(context.Background())
	quit := make(chan struct{})
	var all sync.WaitGroup
	for _, d := range s.devices {
		all.Go(func() { d.recordsOnce(ctx, quit) })
	}
	t.Cleanup(func() { giveUp(); all.Wait() })
	return func() {
		close(quit)
		defer time.AfterFunc(endWithin, giveUp).Stop()
		all.Wait()
	}
}

// recordsOnce delivers one record after the other until quit is closed. A record is sent again only where it was not acknowledged.
func (d *device) recordsOnce(ctx context.Context, quit <-chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case <-time.After(200 * time.Millisecond):
		}
		if r, message := d.new(time.Now(), d.site.image()); !d.deliver(ctx, r, message) {
			return
		}
	}
}

// checkEvents checks that each record has an event at both sinks, and one alone unless the terminal sent it again: then it
// may have reached another node, whose event has the same id. Nodes of a group deliver independently, so the order is not
// that of the records.
func (s *site) checkEvents() {
	s.t.Helper()
	took := s.settle()
	resent := 0
	for _, d := range s.devices {
		resent += d.resent
		for _, r := range d.all() {
			for sink, b := range map[string]*book{"business server": s.business.book, "listener": s.received} {
				if !b.has(r.id) {
					s.t.Errorf("%s: record %s, captured %v and confirmed %v, is missing at the %s", d.serial, r.id, r.captured, r.confirmed, sink)
				}
			}
		}
	}
	for sink, b := range map[string]*book{"business server": s.business.book, "listener": s.received} {
		if errs := b.errs(); len(errs) > 0 {
			s.t.Errorf("the %s got %s", sink, strings.Join(errs, "; "))
		}
		if again := b.repeated(); again > resent {
			s.t.Errorf("the %s got %d events again, and %d records were sent again", sink, again, resent)
		}
	}
	report("%d records, %d of them sent again without an acknowledgement; %d delivered to the business server (%d again), %d published (%d again); all delivered %.1f s after the last",
		s.sent(), resent, s.business.count(), s.business.repeated(), s.received.count(), s.received.repeated(), took.Seconds())
}
