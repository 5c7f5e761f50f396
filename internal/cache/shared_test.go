package cache_test

import (
	"net"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/cache"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

// newNode returns the cache of one node.
func newNode(t *testing.T, url string) *cache.Shared {
	t.Helper()
	return newNodeWith(t, url, prometheus.NewRegistry())
}

func newNodeWith(t *testing.T, url string, metrics prometheus.Registerer) *cache.Shared {
	t.Helper()
	memory, err := cache.NewMemory(cache.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	client, err := cache.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	s := cache.NewShared(memory, client, time.Minute, metrics)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sharedResult() *edgelens.Result {
	return &edgelens.Result{
		RequestID:   "first",
		Model:       edgelens.ModelRef{Name: "colors", Digest: "sha256:12"},
		Predictions: []edgelens.Prediction{{ClassID: 3, Label: "red", Probability: 0.1234567890123}},
		Timings:     edgelens.Timings{Decode: 3 * time.Millisecond},
	}
}

func TestNodesShareHits(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *supervisetest.Redis{
		"single":   func(t testing.TB) *supervisetest.Redis { return supervisetest.Start(t) },
		"sentinel": supervisetest.StartSentinel,
		"cluster":  supervisetest.StartCluster,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shareHits(t, start(t).URL)
		})
	}
}

func shareHits(t *testing.T, url string) {
	first, second := newNode(t, url), newNode(t, url)
	if _, ok := second.Get("key"); ok {
		t.Fatal("a hit in an empty cache")
	}
	// The first write may miss the short timeout of a Redis to which there is no connection yet.
	var got *edgelens.Result
	testutil.Eventually(t, "the second node has it", func() (ok bool) {
		first.Set("key", sharedResult())
		got, ok = second.Get("key")
		return ok
	})
	if !reflect.DeepEqual(got, sharedResult()) {
		t.Errorf("got %+v, want %+v", got, sharedResult())
	}
	hits := second.Stats().Hits
	if again, ok := second.Get("key"); !ok || again != got || second.Stats().Hits != hits {
		t.Errorf("the second lookup did not come from memory: %+v", second.Stats())
	}
	if _, ok := second.Get("another key"); ok {
		t.Error("a hit for another key")
	}
}

// A Redis that is unreachable, or accepts connections and does not answer, is used once and then paused.
func TestDeadRedisCostsLittle(t *testing.T) {
	dir := t.TempDir()
	if len(dir) > 80 {
		t.Skip("the temporary folder's path is too long for a socket")
	}
	silent, err := net.Listen("unix", filepath.Join(dir, "silent"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for name, socket := range map[string]string{"away": filepath.Join(dir, "none"), "silent": filepath.Join(dir, "silent")} {
		t.Run(name, func(t *testing.T) {
			metrics := prometheus.NewRegistry()
			s := newNodeWith(t, "redis-socket://"+socket, metrics)
			start := time.Now()
			for range 1000 {
				if _, ok := s.Get("key"); ok {
					t.Fatal("a hit without Redis")
				}
			}
			took, stats := time.Since(start), s.Stats()
			// Each second costs one timeout, plus the overhead of a busy machine.
			if most := 500*time.Millisecond + took/4; took > most {
				t.Errorf("1000 lookups took %v, want at most %v", took, most)
			}
			if stats.Failures < 1 || stats.Failures > 1+int64(took/time.Second) {
				t.Errorf("%d failures in %v, want one a second", stats.Failures, took)
			}
			s.Set("key", sharedResult())
			if _, ok := s.Get("key"); !ok {
				t.Error("memory forgot what was set")
			}
			if s.Stats().Dropped == 0 {
				testutil.Eventually(t, "the drop is counted", func() bool { return s.Stats().Dropped == 1 })
			}
			stats = s.Stats()
			equalMetric(t, metrics, map[string]int64{"hit": 0, "miss": 0, "failure": stats.Failures, "dropped": stats.Dropped})
		})
	}
}

// equalMetric compares edgelens_shared_cache_total by outcome.
func equalMetric(t *testing.T, metrics prometheus.Gatherer, want map[string]int64) {
	t.Helper()
	got := testutil.Metrics(t, metrics)
	for outcome, n := range want {
		if name := "edgelens_shared_cache_total " + outcome; got[name] != float64(n) || len(got) != len(want) {
			t.Errorf("%s is %v of %v, want %v", name, got[name], got, n)
		}
	}
}

// Set never waits, whatever the state of Redis.
func TestSetDoesNotWait(t *testing.T) {
	s := newNode(t, supervisetest.Start(t).URL)
	for range 5000 {
		s.Set("key", sharedResult())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Get("key"); !ok {
		t.Error("memory is gone with Redis")
	}
}

func TestConnect(t *testing.T) {
	for url, usable := range map[string]bool{
		"redis://h:6379/1": true, "rediss://h": true, "unix:///run/s": true, "redis-socket:///run/s": true,
		"redis-cluster://a:1,b:2": true, "redis-sentinel://a:1,b:2?master=m": true, "http://user:secret@h": false,
	} {
		client, err := cache.Connect(url)
		if (err == nil) != usable {
			t.Errorf("%s: %v", url, err)
		}
		if err == nil {
			_ = client.Close()
		}
	}
}
