//go:build fault

package fault

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const (
	// shortAttempt is the attempt_timeout under which workers are killed.
	shortAttempt = time.Second
	// leaseMargin is added to it for a leased job (docs/adr/0008-scale-out.md).
	leaseMargin = 5 * time.Second
)

// Workers in separate processes are killed at random moments. Their jobs are reclaimed, and done within an attempt's
// time and the margin of a lease.
func TestKillWorkers(t *testing.T) {
	redis := newRedis(t)
	s := newService(t, "--redis-url", redis.url, "--jobs-attempt-timeout", shortAttempt.String(), "--jobs-concurrency", "1")
	s.start()
	var workers []*service
	for range 2 {
		w := newWorker(t, redis.url, "--jobs-concurrency", "1")
		w.start()
		workers = append(workers, w)
	}
	var clients []*client
	var slowest time.Duration
	lost, byWorkers := 0, 0.0
	n := slowRounds(t) // a round takes as long as a lease
	for range n {
		c := newClient(t, s)
		c.burst(inFlight, busyImages(), "cache=false").Wait()
		_, open := c.count()
		for _, w := range workers {
			// At a random point: when so many are left, and then some. Both are before the first one's jobs are leased
			// again.
			left := rand.IntN(open) + 1
			s.until("some jobs are done", startWithin, func() bool { _, now := c.count(); return now <= left })
			time.Sleep(rand.N(30 * time.Millisecond))
			byWorkers += w.sum("edgelens_jobs_total")
			w.kill()
			open = left
		}
		killed := time.Now()
		c.kept(shortAttempt + leaseMargin + resumeWithin)
		took := time.Since(killed)
		slowest = max(slowest, took)
		c.unchanged()
		for _, p := range c.promises {
			lost += p.last.Attempts - 1
		}
		clients = append(clients, c)
		for _, w := range workers {
			w.start()
		}
	}
	if limit := shortAttempt + leaseMargin + resumeWithin/3; slowest > limit {
		t.Errorf("after both workers were killed it took %v until all jobs were done, and may take %v", slowest, limit)
	}
	if lost == 0 || byWorkers == 0 {
		t.Errorf("the workers did %v jobs and died with %d, so this tests nothing", byWorkers, lost)
	}
	ends := s.terminalEvents()
	for _, c := range clients {
		c.unchanged()
		for _, p := range c.promises {
			if !slices.Equal(ends[p.id], []string{"succeeded"}) {
				t.Errorf("job %s has the ends %q in the events", p.id, ends[p.id])
			}
		}
	}
	report("two workers killed %d times each, with %d jobs leased: nothing lost; all done at most %.1f s after the kills", n, lost, slowest.Seconds())
}

// sharedJobs are enough for several seconds of two cores.
const sharedJobs = 300

// A second process takes its share of the jobs.
func TestWorkersShare(t *testing.T) {
	model, of := photograph(t)
	redis := newRedis(t)
	one := append([]string{"--redis-url", redis.url, "--inference-interpreters", "1"}, model...)
	s := newService(t, one...)
	s.start()
	w := newWorker(t, redis.url, append([]string{"--inference-interpreters", "1"}, model...)...)
	w.start()
	c := newClient(t, s)
	begin := time.Now()
	c.burst(sharedJobs, of, "cache=false").Wait()
	c.kept(time.Minute)
	took := time.Since(begin)
	for _, p := range c.promises {
		if p.last.Attempts != 1 {
			t.Errorf("job %s took %d attempts", p.id, p.last.Attempts)
		}
	}
	var own, others float64
	s.until("every job is counted", startWithin, func() bool { // a moment after its end
		own, others = s.sum("edgelens_jobs_total"), w.sum("edgelens_jobs_total")
		return own+others >= sharedJobs
	})
	share := others / (own + others)
	report("%d jobs in %.1f s: the service did %v and the worker %v (%.0f%%)", sharedJobs, took.Seconds(), own, others, 100*share)
	if own+others != sharedJobs {
		t.Errorf("%v jobs were done, of %d", own+others, sharedJobs)
	}
	if share < 0.35 || share > 0.65 {
		t.Errorf("the worker did %.0f%%, and should do 35%% to 65%%", 100*share)
	}
}

// photograph returns the arguments for the real model and a real image where available, and otherwise images that are
// costly to decode.
func photograph(t *testing.T) (model []string, of []image) {
	t.Helper()
	shared := os.Getenv("EDGELENS_TEST_SHARED")
	if shared == "" {
		return nil, busyImages()
	}
	const name = "tf2_mobilenet_v2_1.0_224_ptq"
	folder := t.TempDir()
	for _, file := range []string{name + ".tflite", "imagenet_labels.txt"} {
		data, err := os.ReadFile(filepath.Join(shared, "models", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := os.ReadFile(filepath.Join(shared, "images", "cat_720p.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--models-dir", folder, "--model", name}, []image{{"Egyptian cat", encoded}}
}
