package worker_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"edgelens"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/worker"
)

// acceptOnly is a node that accepts jobs and works on none.
func acceptOnly(t *testing.T, redis *supervisetest.Redis, ledger *memory, attempt time.Duration) *system {
	t.Helper()
	config := worker.DefaultConfig()
	config.RedisURL, config.Concurrency, config.AttemptTimeout = redis.URL, 2, attempt
	queue, err := worker.NewQueue(config, "acceptor", ledger, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, queue: queue, ledger: ledger}
	t.Cleanup(func() { _ = queue.Close() }) // some tests close it themselves
	return s
}

// startRemote starts a worker that has no ledger. The function stops it.
func startRemote(t *testing.T, url string, r *recognizer) func() {
	t.Helper()
	config := worker.DefaultConfig()
	config.RedisURL, config.Concurrency = url, 2
	w, err := worker.NewRemoteWorker(config, r, edgelens.Untraced{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(w.Shutdown)
	t.Cleanup(stop)
	return stop
}

const images = "edgelens:picture:*"

// A remote worker has the images of no more jobs than it has slots, of each of the two kinds of jobs.
func TestRemoteWorker(t *testing.T) {
	t.Parallel()
	const slots = 2
	for name, test := range map[string]struct {
		queues    []string
		maxImages int64
	}{
		"interactive": {[]string{edgelens.QueueInteractive}, slots},
		"bulk":        {[]string{edgelens.QueueBulk}, slots},
		"both":        {[]string{edgelens.QueueInteractive, edgelens.QueueBulk}, 2 * slots},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := supervisetest.Start(t)
			s := acceptOnly(t, r, newMemory("job"), 5*time.Second)
			for _, queue := range test.queues {
				s.submit(50, queue)
			}
			if waiting := r.Keys(images); len(waiting) != 0 {
				t.Errorf("images of waiting jobs are in Redis: %q", waiting)
			}
			var most atomic.Int64
			startRemote(t, r.URL, &recognizer{do: func(context.Context, *edgelens.Request) error {
				if n := int64(len(r.Keys(images))); n > most.Load() {
					most.Store(n)
				}
				return nil
			}})
			s.allDone(50*len(test.queues), edgelens.JobSucceeded)
			if n := most.Load(); n > test.maxImages {
				t.Errorf("%d images at a time in Redis, want no more than %d", n, test.maxImages)
			}
			if left := r.Keys(images); len(left) != 0 {
				t.Errorf("images are left in Redis: %q", left)
			}
			for id := range s.ledger.jobs {
				if job := s.ledger.job(id); job.Result.RequestID != id || job.Attempts != 1 {
					t.Errorf("%s has the result of %s after %d attempts", id, job.Result.RequestID, job.Attempts)
				}
			}
		})
	}
}

// The error of a failed job on a remote worker is stored.
func TestRemoteDispositions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err      error
		want     edgelens.JobStatus
		attempts int
	}{
		"permanent":          {edgelens.ErrBadImage, edgelens.JobFailed, 1},
		"tried again":        {edgelens.ErrInference, edgelens.JobSucceeded, 2},
		"requeued":           {edgelens.ErrStopping, edgelens.JobSucceeded, 1},
		"model is missing  ": {edgelens.ErrUnknownModel, edgelens.JobSucceeded, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := supervisetest.Start(t)
			s := acceptOnly(t, r, newMemory("job"), 5*time.Second)
			var calls atomic.Int64
			startRemote(t, r.URL, &recognizer{do: func(context.Context, *edgelens.Request) error {
				if calls.Add(1) == 1 {
					return test.err
				}
				return nil
			}})
			s.submit(1, edgelens.QueueInteractive)
			s.allDone(1, test.want)
			job := s.ledger.job("job-0000")
			if job.Attempts != test.attempts {
				t.Errorf("%d attempts, want %d", job.Attempts, test.attempts)
			}
			if test.want == edgelens.JobFailed && job.Error.Code != edgelens.Code(test.err) {
				t.Errorf("error %+v, want the code of %v", job.Error, test.err)
			}
		})
	}
}

func TestWorkersShareTheLoad(t *testing.T) {
	r := supervisetest.Start(t)
	var here, there atomic.Int64
	work := func(count *atomic.Int64) *recognizer {
		slots := make(chan struct{}, concurrency) // as the core has: a node has more of its own jobs at hand
		return &recognizer{do: func(context.Context, *edgelens.Request) error {
			slots <- struct{}{}
			defer func() { <-slots }()
			count.Add(1)
			time.Sleep(10 * time.Millisecond) // the work itself
			return nil
		}}
	}
	startRemote(t, r.URL, work(&there))
	s := newSystem(t, r, newMemory("job"), work(&here))
	s.submit(200, edgelens.QueueInteractive)
	s.allDone(200, edgelens.JobSucceeded)
	t.Logf("%d jobs here, %d there", here.Load(), there.Load())
	if here.Load()+there.Load() != 200 || here.Load() < 60 || there.Load() < 60 {
		t.Errorf("%d jobs here and %d there, want about half each", here.Load(), there.Load())
	}
}

// Two nodes that accept and work run each other's jobs, without starvation.
func TestNodesLeaseJobsToEachOther(t *testing.T) {
	t.Parallel()
	r := supervisetest.Start(t)
	first := newNode(t, r, "first", &recognizer{})
	second := newNode(t, r, "second", &recognizer{})
	for range 10 {
		first.submit(20, edgelens.QueueInteractive)
		second.submit(20, edgelens.QueueBulk)
	}
	first.allDone(200, edgelens.JobSucceeded)
	second.allDone(200, edgelens.JobSucceeded)
	for name, s := range map[string]*system{"first": first, "second": second} {
		if most := s.recognizer.most.Load(); most > 2 {
			t.Errorf("%s recognized %d at a time, want 2 at most", name, most)
		}
	}
}

// While a worker waits for the answer of a silent node, it runs its own jobs.
func TestSilentNodeLeavesSlotsToOwnJobs(t *testing.T) {
	t.Parallel()
	r := supervisetest.Start(t)
	away := acceptOnly(t, r, newMemory("away"), 5*time.Second)
	away.submit(2, edgelens.QueueInteractive)
	if err := away.queue.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s := newNode(t, r, "here", &recognizer{})
	testutil.Eventually(t, "the silent node is asked", func() bool { return len(r.Keys("edgelens:{acceptor}:desk")) == 1 })
	s.submit(20, edgelens.QueueInteractive)
	s.allDone(20, edgelens.JobSucceeded)
	// The request to a silent node times out after 3 s.
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("own jobs took %v, want them done before the timeout", took)
	}
}

// While the accepting node is down its jobs stay queued, with no attempt counted.
func TestAcceptingNodeDown(t *testing.T) {
	t.Parallel()
	r, ledger := supervisetest.Start(t), newMemory("job")
	first := acceptOnly(t, r, ledger, 5*time.Second)
	first.submit(10, edgelens.QueueInteractive)
	if err := first.queue.Close(); err != nil {
		t.Fatal(err)
	}
	startRemote(t, r.URL, &recognizer{})
	testutil.Eventually(t, "tasks are retried", func() bool {
		return r.Client.ZCard(context.Background(), "asynq:{interactive}:retry").Val() > 0
	})
	again := acceptOnly(t, r, ledger, 5*time.Second)
	again.allDone(10, edgelens.JobSucceeded)
	for id := range ledger.jobs {
		if job := ledger.job(id); job.Attempts != 1 {
			t.Errorf("%s was attempted %d times, want once", id, job.Attempts)
		}
	}
}

// An accepting node that restarts during an attempt gets its result.
func TestAcceptingNodeRestarts(t *testing.T) {
	t.Parallel()
	r, ledger := supervisetest.Start(t), newMemory("job")
	first := acceptOnly(t, r, ledger, 5*time.Second)
	entered, leave := make(chan struct{}), make(chan struct{})
	startRemote(t, r.URL, &recognizer{do: func(context.Context, *edgelens.Request) error {
		close(entered)
		<-leave
		return nil
	}})
	first.submit(1, edgelens.QueueInteractive)
	<-entered
	if err := first.queue.Close(); err != nil {
		t.Fatal(err)
	}
	close(leave)
	again := acceptOnly(t, r, ledger, 5*time.Second)
	again.allDone(1, edgelens.JobSucceeded)
}

// A remote worker that ends in the middle of its jobs loses none, and its late results change nothing.
func TestRemoteWorkerDies(t *testing.T) {
	t.Parallel()
	r := supervisetest.Start(t)
	s := acceptOnly(t, r, newMemory("job"), time.Second)
	line := newLine(t, r.Servers[0].Address)
	dead := &recognizer{do: func(ctx context.Context, _ *edgelens.Request) error {
		<-ctx.Done()
		return edgelens.ErrStopping
	}}
	stop := startRemote(t, line.url(), dead)
	s.submit(2, edgelens.QueueInteractive)
	testutil.Eventually(t, "both are being worked on", func() bool { return dead.running.Load() == 2 })
	line.cut()
	startRemote(t, r.URL, &recognizer{})
	s.submit(5, edgelens.QueueInteractive)
	s.allDone(7, edgelens.JobSucceeded)
	line.repair()
	stop()
	s.allDone(7, edgelens.JobSucceeded)
}

// line is a connection to Redis that can be cut.
type line struct {
	t        *testing.T
	to, from string
	mu       sync.Mutex
	down     bool
	open     map[net.Conn]bool
	ended    sync.WaitGroup
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	dir := testutil.ShortDir(t)
	l := &line{t: t, to: to, from: filepath.Join(dir, "s"), open: map[net.Conn]bool{}}
	listener, err := net.Listen("unix", l.from)
	if err != nil {
		t.Fatal(err)
	}
	l.ended.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.ended.Go(func() { l.carry(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.cut()
		l.ended.Wait()
	})
	return l
}

func (l *line) carry(near net.Conn) {
	defer near.Close() // nothing is written any more
	far, err := net.Dial("unix", l.to)
	if err != nil {
		return
	}
	defer far.Close() // nothing is written any more
	l.mu.Lock()
	if l.down {
		l.mu.Unlock()
		return
	}
	l.open[near], l.open[far] = true, true
	l.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(near, far) // ends when either side does
		_ = near.Close()
	})
	_, _ = io.Copy(far, near) // ends when either side does
	_ = far.Close()
	back.Wait()
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for conn := range l.open {
		_ = conn.Close()
	}
}

func (l *line) repair() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

func (l *line) url() string { return "redis-socket://" + l.from }

// A worker that ends between dequeuing a task and starting its job delays the job by seconds, not until asynq's lease
// expires.
func TestWorkerEndsBeforeStart(t *testing.T) {
	t.Parallel()
	r := supervisetest.Start(t)
	s := acceptOnly(t, r, newMemory("job"), 5*time.Second)
	s.submit(2, edgelens.QueueInteractive)
	// The commands of asynq when a worker dequeues a task.
	ctx, queue := context.Background(), "asynq:{"+edgelens.QueueInteractive+"}:"
	name, err := r.Client.LMove(ctx, queue+"pending", queue+"active", "RIGHT", "LEFT").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		r.Client.HSet(ctx, queue+"t:"+name, "state", "active").Err(),
		r.Client.ZAdd(ctx, queue+"lease", redis.Z{Score: float64(time.Now().Add(30 * time.Second).Unix()), Member: name}).Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	startRemote(t, r.URL, &recognizer{})
	s.allDone(2, edgelens.JobSucceeded)
	for id := range s.ledger.jobs {
		if job := s.ledger.job(id); job.Attempts != 1 {
			t.Errorf("%s had %d attempts", id, job.Attempts)
		}
	}
}

// Bulk jobs of other nodes that wait in the core do not keep an interactive one from it.
func TestBulkJobsOfOtherNodesDoNotBlockOthers(t *testing.T) {
	r := supervisetest.Start(t)
	s := acceptOnly(t, r, newMemory("job"), 5*time.Second)
	bulk, interactive, release := make(chan struct{}, 100), make(chan struct{}, 1), make(chan struct{})
	startRemote(t, r.URL, &recognizer{do: func(_ context.Context, req *edgelens.Request) error {
		if req.Priority == edgelens.PriorityBulk {
			bulk <- struct{}{}
			<-release
			return nil
		}
		interactive <- struct{}{}
		return nil
	}})
	s.submit(20, edgelens.QueueBulk)
	for range concurrency {
		<-bulk
	}
	s.submit(1, edgelens.QueueInteractive)
	select {
	case <-interactive:
	case <-time.After(30 * time.Second):
		t.Error("the interactive job waits behind bulk jobs")
	}
	close(release)
	s.allDone(21, edgelens.JobSucceeded)
}
