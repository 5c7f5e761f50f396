package worker_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/worker"
)

// watch starts a remote worker and watches its Redis. The channel has the reports.
func watch(t *testing.T, url string) (<-chan error, *testutil.LogBuffer) {
	t.Helper()
	config, log := worker.DefaultConfig(), &testutil.LogBuffer{}
	config.RedisURL, config.Concurrency = url, 1
	w, err := worker.NewRemoteWorker(config, &recognizer{}, edgelens.Untraced{}, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	reports := make(chan error, 100)
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { w.WatchRedis(ctx, func(status worker.RedisStatus) { reports <- status.Err }) })
	t.Cleanup(func() {
		stop()
		watching.Wait()
		w.Shutdown()
	})
	return reports, log
}

func next(t *testing.T, reports <-chan error) error {
	t.Helper()
	select {
	case err := <-reports:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was reported")
		return nil
	}
}

// Errors in redis.url are reported with advice.
func TestWatchRedisGivesAdvice(t *testing.T) {
	t.Parallel()
	locked := supervisetest.Start(t, "--requirepass", "right")
	open, group, cluster := supervisetest.Start(t), supervisetest.StartSentinel(t), supervisetest.StartCluster(t)
	gone := supervisetest.StartCluster(t)
	for _, server := range gone.Servers {
		server.Kill()
	}
	for name, test := range map[string]struct{ url, want string }{
		"no password":             {locked.URL, "Redis requires a password"},
		"wrong password":          {strings.Replace(locked.URL, "://", "://:wrong@", 1), "refuses the user or the password"},
		"wrong port":              {"redis://127.0.0.1:1/0", "check that it runs"},
		"no such database":        {open.URL + "?db=99", "no database of that number"},
		"master's name unknown":   {strings.Replace(group.URL, "master=", "master=un", 1), "the name after ?master="},
		"Sentinel's port wrong":   {"redis-sentinel://127.0.0.1:1?master=edgelens", "the name after ?master="},
		"a replica":               {"redis://" + group.Servers[1].Address, "is a replica"},
		"Cluster taken for one":   {"redis://" + cluster.Servers[0].Address, "use redis-cluster://"},
		"one taken for Cluster":   {"redis-cluster://" + group.Servers[0].Address, "is no Cluster"},
		"Cluster that is gone":    {gone.URL, "check that it runs"},
		"a Sentinel taken for it": {strings.Replace(strings.Replace(group.URL, "redis-sentinel", "redis", 1), "?master=edgelens", "/0", 1), "for a Sentinel use"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reports, log := watch(t, test.url)
			if err := next(t, reports); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("reported %v, want %q", err, test.want)
			}
			testutil.Eventually(t, "it is in the log", func() bool { return strings.Contains(log.String(), test.want) })
			if output := log.String(); strings.Contains(output, "wrong@") {
				t.Errorf("the password is in the log: %s", output)
			}
		})
	}
}

// Each change is reported once and logged in one line, and asynq's own lines are at level DEBUG.
func TestWatchRedisReportsChanges(t *testing.T) {
	t.Parallel()
	r := supervisetest.Start(t)
	reports, log := watch(t, r.URL)
	if err := next(t, reports); err != nil {
		t.Fatalf("reported %v of a Redis that answers", err)
	}
	r.Servers[0].Kill()
	if err := next(t, reports); err == nil {
		t.Fatal("the loss of Redis was not reported")
	}
	// asynq retries several times a second: its lines repeat by then.
	testutil.Eventually(t, "asynq has logged the outage repeatedly", func() bool {
		return strings.Count(log.String(), "msg=asynq") >= 10
	})
	if n := len(reports); n != 0 {
		t.Errorf("%d reports without a change", n)
	}
	r.Servers[0].Start()
	if err := next(t, reports); err != nil {
		t.Errorf("reported %v after Redis was back", err)
	}
	testutil.Eventually(t, "the return is logged", func() bool { return strings.Contains(log.String(), "Redis available again") })
	checkOutageLines(t, log)
}

// A node that accepts jobs logs an outage in two lines, too, however many jobs arrive meanwhile.
func TestQueueLogsAnOutageInTwoLines(t *testing.T) {
	t.Parallel()
	r := supervisetest.Start(t)
	config, log, ledger := worker.DefaultConfig(), &testutil.LogBuffer{}, newMemory("node")
	config.RedisURL, config.Concurrency = r.URL, 1
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	queue, err := worker.NewQueue(config, "node", ledger, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() })
	testutil.Eventually(t, "the queue is in sync with Redis", queue.Reachable)
	r.Servers[0].Kill()
	for range 3 {
		if _, _, err := queue.Submit(t.Context(), edgelens.JobSpec{Queue: edgelens.QueueInteractive}, []byte("image")); err != nil {
			t.Fatal(err)
		}
	}
	testutil.Eventually(t, "the outage is logged", func() bool { return strings.Contains(log.String(), "Redis unavailable;") })
	r.Servers[0].Start()
	testutil.Eventually(t, "the return is logged", func() bool { return strings.Contains(log.String(), "Redis available again") })
	checkOutageLines(t, log)
}

// checkOutageLines demands one line for the loss of Redis and one for its return,
// and no other above DEBUG.
func checkOutageLines(t *testing.T, log *testutil.LogBuffer) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(log.String()) {
		if !strings.Contains(line, "level=DEBUG") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 2 || !strings.Contains(lines[0], "Redis unavailable") || !strings.Contains(lines[1], "Redis available again") {
		t.Errorf("the log above DEBUG has %d lines, want one for the loss and one for the return:\n%s", len(lines), strings.Join(lines, ""))
	}
}
