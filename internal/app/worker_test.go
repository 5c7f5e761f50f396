//go:build cgo

package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"edgelens/internal/cache"
	"edgelens/internal/config"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
)

// working runs a worker that shares only Redis with others, until stop is called.
func working(t *testing.T, c *config.Config) (status string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, ended := &output{}, make(chan error, 1)
	go func() { ended <- Work(ctx, c, "test", "127.0.0.1:0", log) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	status = log.waitFor(t, `msg="serving status" address=(\S+)`)
	log.waitFor(t, `msg=ready`)
	return status, stop
}

// A worker in another process runs the jobs of a node with which it shares only Redis.
func TestWorkerCommand(t *testing.T) {
	url := supervisetest.Start(t).URL
	c := settings(t)
	withColors(t, c)
	c.Jobs.RedisURL = url
	s := start(t, c)
	s.jobs.worker.Shutdown() // so that the other one has to do everything
	var accepted []jobAnswer
	for n := range 10 {
		accepted = append(accepted, s.async(t, "/api/recognize_async?top_k=1&cache=false", modeltest.Image(modeltest.Red, 20+n, 20), nil))
	}
	bad := s.async(t, "/api/recognize_async", []byte("no image"), nil)

	other := settings(t)
	withColors(t, other)
	other.Jobs.RedisURL = url
	status, stop := working(t, other)
	for _, j := range accepted {
		if done := s.wait(t, j); done.Status != "succeeded" || done.Attempts != 1 || done.Result.Predictions[0].Label != "red" {
			t.Errorf("%+v", done)
		}
	}
	if done := s.wait(t, bad); done.Status != "failed" || done.Error.Code != "unsupported_format" {
		t.Errorf("text: %+v", done)
	}
	remote := &service{t: t, url: status}
	// The job is done before its worker, which gets the reply through Redis, has counted it.
	testutil.Eventually(t, "all jobs are counted", func() bool {
		return strings.Contains(string(remote.get("/metrics").body), `edgelens_jobs_total{status="succeeded"} 10`)
	})
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok"} {
		if a := remote.get(path); a.status != http.StatusOK || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d, no %q", path, a.status, want)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A worker is ready while Redis serves it, and otherwise reports the reason.
func TestWorkerReadiness(t *testing.T) {
	r := supervisetest.Start(t)
	r.Servers[0].Kill()
	c := settings(t)
	withColors(t, c)
	c.Jobs.RedisURL = r.URL
	status, _ := working(t, c)
	remote := &service{t: t, url: status}
	until := func(want int, words string) {
		t.Helper()
		testutil.Eventually(t, fmt.Sprintf("/readyz is %d %q", want, words), func() bool {
			a := remote.get("/readyz")
			return a.status == want && strings.Contains(string(a.body), words)
		})
	}
	until(http.StatusServiceUnavailable, "redis: Redis cannot be reached; check that it runs")
	r.Servers[0].Start()
	until(http.StatusOK, "ok")
	r.Servers[0].Kill()
	until(http.StatusServiceUnavailable, "redis: Redis cannot be reached; check that it runs")
}

// A result of one node is in the cache of another one that uses the same Redis.
func TestNodesShareResults(t *testing.T) {
	url, image := supervisetest.Start(t).URL, modeltest.Image(modeltest.Blue, 30, 30)
	var nodes []*service
	for range 2 {
		c := settings(t)
		withColors(t, c)
		c.Jobs.RedisURL = url
		nodes = append(nodes, start(t, c))
	}
	if first := nodes[0].form(path, image); first.status != http.StatusOK || first.Cached {
		t.Fatalf("the first answer: %d %s", first.status, first.body)
	}
	client, err := cache.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() // only asked for the result
	testutil.Eventually(t, "the result is in Redis", func() bool {
		keys, _ := client.Keys(context.Background(), "edgelens:result:*").Result()
		return len(keys) == 1
	})
	if again := nodes[1].form(path, image); again.status != http.StatusOK || !again.Cached || again.Predictions[0].Label != "blue" {
		t.Errorf("the other node: %d %s", again.status, again.body)
	}
}
