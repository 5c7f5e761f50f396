package worker_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(settling{m}) }

// settling runs the tests, then gives go-redis the second after which its dialing goroutine detects that the client was
// closed.
type settling struct{ *testing.M }

func (s settling) Run() int {
	code := s.M.Run()
	for deadline := time.Now().Add(3 * time.Second); goleak.Find() != nil && time.Now().Before(deadline); {
	}
	return code
}

// memory is a Ledger with the rules of the real one, without a disk.
type memory struct {
	mu       sync.Mutex
	jobs     map[string]*edgelens.Job
	order    []string
	images   map[string][]byte
	terminal map[string]int // number of terminal states that each job reached
	most     int            // attempts before a job counts as poison
	prefix   string         // of the jobs' ids
	suffix   string
}

func newMemory(prefix string) *memory {
	return &memory{jobs: map[string]*edgelens.Job{}, images: map[string][]byte{}, terminal: map[string]int{}, most: 2, prefix: prefix}
}

func (m *memory) Accept(_ context.Context, spec edgelens.JobSpec, image []byte) (edgelens.Job, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	job := &edgelens.Job{ID: fmt.Sprintf("%s-%04d%s", m.prefix, len(m.order), m.suffix), JobSpec: spec, Status: edgelens.JobQueued, CreatedAt: time.Now()}
	m.jobs[job.ID], m.images[job.ID], m.order = job, image, append(m.order, job.ID)
	return *job, false, nil
}

func (m *memory) Start(_ context.Context, id string) (edgelens.Job, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	job := m.jobs[id]
	switch {
	case job == nil:
		return edgelens.Job{}, nil, edgelens.ErrNotFound
	case job.Status.Terminal():
		return edgelens.Job{}, nil, edgelens.ErrFinished
	case job.Attempts >= m.most:
		m.move(id, edgelens.JobFailed)
		return edgelens.Job{}, nil, edgelens.ErrFinished
	}
	job.Attempts++
	job.Status = edgelens.JobRunning
	return *job, m.images[id], nil
}

func (m *memory) Release(_ context.Context, id string, refund bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.jobs[id].Status.Terminal() {
		return edgelens.ErrFinished
	}
	m.jobs[id].Status = edgelens.JobQueued
	if refund {
		m.jobs[id].Attempts--
	}
	return nil
}

// move must be called with the lock held.
func (m *memory) move(id string, to edgelens.JobStatus) error {
	if m.jobs[id].Status.Terminal() {
		return edgelens.ErrFinished
	}
	m.jobs[id].Status = to
	m.terminal[id]++
	return nil
}

func (m *memory) Finish(_ context.Context, id string, result *edgelens.Result) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jobs[id].Result = result
	return m.move(id, edgelens.JobSucceeded)
}

func (m *memory) Fail(_ context.Context, id string, why edgelens.JobError) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jobs[id].Error = &why
	return m.move(id, edgelens.JobFailed)
}

func (m *memory) Job(_ context.Context, id string) (edgelens.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.jobs[id] == nil {
		return edgelens.Job{}, edgelens.ErrNotFound
	}
	return *m.jobs[id], nil
}

func (m *memory) Wait(ctx context.Context, id string) (edgelens.Job, error) {
	for {
		job, err := m.Job(ctx, id)
		if err != nil || job.Status.Terminal() || ctx.Err() != nil {
			return job, err
		}
		time.Sleep(time.Millisecond) // the waiting itself
	}
}

func (m *memory) Cancel(_ context.Context, id string) (edgelens.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.jobs[id] == nil {
		return edgelens.Job{}, edgelens.ErrNotFound
	}
	err := m.move(id, edgelens.JobCanceled)
	return *m.jobs[id], err
}

func (m *memory) Unfinished(context.Context) iter.Seq2[edgelens.Job, error] {
	m.mu.Lock()
	var ids []string
	for _, id := range m.order {
		if !m.jobs[id].Status.Terminal() {
			ids = append(ids, id)
		}
	}
	m.mu.Unlock()
	return func(yield func(edgelens.Job, error) bool) {
		for _, id := range ids {
			if !yield(m.job(id), nil) {
				return
			}
		}
	}
}

// Receive stores the job of a record; records themselves are the ledger's matter.
func (m *memory) Receive(ctx context.Context, r edgelens.Reception) (edgelens.Job, bool, error) {
	return m.Accept(ctx, r.Job, r.Image)
}

func (m *memory) job(id string) edgelens.Job {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.jobs[id]
}

// statuses counts the jobs by state.
func (m *memory) statuses() map[edgelens.JobStatus]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[edgelens.JobStatus]int{}
	for _, job := range m.jobs {
		counts[job.Status]++
	}
	return counts
}

func (m *memory) checkOnce(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.jobs {
		if m.terminal[id] != 1 {
			t.Errorf("%s reached %d terminal states", id, m.terminal[id])
		}
	}
}

// recognizer calls do.
type recognizer struct {
	do func(ctx context.Context, req *edgelens.Request) error

	running, most atomic.Int64
}

func (r *recognizer) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	now := r.running.Add(1)
	defer r.running.Add(-1)
	for most := r.most.Load(); now > most && !r.most.CompareAndSwap(most, now); most = r.most.Load() {
	}
	if req.SHA256 != sha256.Sum256(req.Image) || req.Source != "job" {
		return nil, fmt.Errorf("%w: the job's image differs from the submitted one", edgelens.ErrInvalid)
	}
	if r.do != nil {
		if err := r.do(ctx, req); err != nil {
			return nil, err
		}
	}
	return &edgelens.Result{RequestID: req.ID}, nil
}

type system struct {
	t          *testing.T
	queue      *worker.Queue
	worker     *worker.Worker
	ledger     *memory
	recognizer *recognizer
}

func newSystem(t *testing.T, redis *supervisetest.Redis, ledger *memory, r *recognizer) *system {
	t.Helper()
	return startNode(t, redis, "node", ledger, r)
}

// newNode is one of several nodes, with a ledger of its own.
func newNode(t *testing.T, redis *supervisetest.Redis, name string, r *recognizer) *system {
	t.Helper()
	return startNode(t, redis, name, newMemory(name), r)
}

// concurrency is that of each node, which has so many jobs at hand.
const (
	concurrency       = 2
	interactiveAtHand = 2 * concurrency
	atHand            = interactiveAtHand + concurrency
)

func startNode(t *testing.T, redis *supervisetest.Redis, name string, ledger *memory, r *recognizer) *system {
	t.Helper()
	config := worker.DefaultConfig()
	config.RedisURL, config.Concurrency, config.AttemptTimeout = redis.URL, concurrency, 5*time.Second
	log := slog.New(slog.DiscardHandler)
	queue, err := worker.NewQueue(config, name, ledger, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, queue: queue, ledger: ledger, recognizer: r}
	s.worker = worker.NewWorker(queue, r, edgelens.Untraced{}, log, prometheus.NewRegistry())
	if err := s.worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sync.OnceFunc(s.stop))
	return s
}

func (s *system) stop() {
	s.worker.Shutdown()
	if err := s.queue.Close(); err != nil && !strings.Contains(err.Error(), "closed") {
		s.t.Error(err)
	}
}

func (s *system) submit(n int, queue string) {
	s.t.Helper()
	for i := range n {
		image := fmt.Appendf(nil, "image %d", i)
		sum := sha256.Sum256(image)
		spec := edgelens.JobSpec{Queue: queue, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(image))}
		if _, _, err := s.queue.Submit(context.Background(), spec, image); err != nil {
			s.t.Fatal(err)
		}
	}
}

// submitOf submits an interactive job of a device, and returns its id.
func (s *system) submitOf(device string) string {
	s.t.Helper()
	image := []byte("a door")
	sum := sha256.Sum256(image)
	spec := edgelens.JobSpec{Queue: edgelens.QueueInteractive, Device: device, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(image))}
	job, _, err := s.queue.Submit(context.Background(), spec, image)
	if err != nil {
		s.t.Fatal(err)
	}
	return job.ID
}

func (s *system) allDone(n int, status edgelens.JobStatus) {
	s.t.Helper()
	testutil.Eventually(s.t, fmt.Sprintf("%d jobs %s", n, status), func() bool { return s.ledger.statuses()[status] == n })
	s.ledger.checkOnce(s.t)
}

func TestJobsSucceed(t *testing.T) {
	var bulk atomic.Int64
	s := newSystem(t, supervisetest.Start(t), newMemory("job"), &recognizer{do: func(_ context.Context, req *edgelens.Request) error {
		if req.Priority == edgelens.PriorityBulk {
			bulk.Add(1)
		}
		return nil
	}})
	s.submit(40, edgelens.QueueInteractive)
	s.submit(60, edgelens.QueueBulk)
	s.allDone(100, edgelens.JobSucceeded)
	if n := bulk.Load(); n != 60 {
		t.Errorf("%d of bulk priority, want the 60 that are bulk", n)
	}
	// How many the core runs is its own decision; these have their image in memory.
	if most := s.recognizer.most.Load(); most > atHand {
		t.Errorf("%d at hand at a time, want %d at most", most, atHand)
	}
	for id, job := range s.ledger.jobs {
		if job.Result.RequestID != id || job.Attempts != 1 {
			t.Errorf("%s has the result of %s after %d attempts", id, job.Result.RequestID, job.Attempts)
		}
	}
}

// A job of a device does not wait behind the jobs of others that were accepted before it.
func TestDeviceJobsFirst(t *testing.T) {
	var done atomic.Int64 // before the device's job began
	var began atomic.Bool
	s := newSystem(t, supervisetest.Start(t), newMemory("job"), &recognizer{do: func(_ context.Context, req *edgelens.Request) error {
		if req.Priority == edgelens.PriorityDevice {
			began.Store(true)
		} else if !began.Load() {
			done.Add(1)
		}
		time.Sleep(10 * time.Millisecond) // the work itself
		return nil
	}})
	s.submit(300, edgelens.QueueInteractive)
	s.submitOf("door")
	before := done.Load()
	s.allDone(301, edgelens.JobSucceeded)
	if between := done.Load() - before; !began.Load() || between > 30 {
		t.Errorf("%d of %d jobs began between the device's submission and its begin", between, 300-before)
	}
}

// The options of a job are those of its recognition, by a node's own worker and by one of another node.
func TestOptionsOfJobs(t *testing.T) {
	gate := edgelens.Region{X: 0.1, Y: 0.2, Width: 0.7, Height: 1.0 / 3}
	for name, work := range map[string]func(*testing.T, *supervisetest.Redis, *recognizer) *system{
		"own": func(t *testing.T, redis *supervisetest.Redis, r *recognizer) *system {
			return newSystem(t, redis, newMemory("job"), r)
		},
		"remote": func(t *testing.T, redis *supervisetest.Redis, r *recognizer) *system {
			s := acceptOnly(t, redis, newMemory("job"), 5*time.Second)
			startRemote(t, redis.URL, r)
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan edgelens.Request, 1)
			s := work(t, supervisetest.Start(t), &recognizer{do: func(_ context.Context, req *edgelens.Request) error {
				got <- *req
				return nil
			}})
			image := []byte("a gate")
			sum := sha256.Sum256(image)
			spec := edgelens.JobSpec{
				Queue: edgelens.QueueInteractive, Device: "door", Model: "m", TopK: 7, MinScore: 0.25, NoCache: true,
				View: edgelens.View{Fit: edgelens.FitSweep, Region: gate}, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(image)),
			}
			if _, _, err := s.queue.Submit(t.Context(), spec, image); err != nil {
				t.Fatal(err)
			}
			s.allDone(1, edgelens.JobSucceeded)
			if r := <-got; r.Device != spec.Device || r.Model != spec.Model || r.TopK != spec.TopK || r.MinScore != spec.MinScore || !r.NoCache || r.View != spec.View {
				t.Errorf("%+v, want the options of %+v", r, spec)
			}
		})
	}
}

// Every sentinel has the disposition in the table.
func TestDispositions(t *testing.T) {
	permanent := []error{
		edgelens.ErrNoImage, edgelens.ErrInvalid, edgelens.ErrTooLarge, edgelens.ErrUnsupportedFormat, edgelens.ErrBadImage,
		edgelens.ErrUnauthorized, edgelens.ErrForbidden, edgelens.ErrUnknownModel, edgelens.ErrNotFound, edgelens.ErrFinished, edgelens.ErrInUse, edgelens.ErrConflict, edgelens.ErrNoModel, edgelens.ErrModel,
	}
	refunded := []error{edgelens.ErrStopping, edgelens.ErrCanceled, edgelens.ErrDiskFull, edgelens.ErrStorage}
	for _, sentinel := range append(edgelens.Sentinels(), errors.New("an unknown error")) {
		if errors.Is(sentinel, edgelens.ErrBusy) {
			continue // has a test of its own
		}
		t.Run(sentinel.Error(), func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			// Its own Redis: the others have jobs with the same ids.
			s := newSystem(t, supervisetest.Start(t), newMemory("job"), &recognizer{do: func(context.Context, *edgelens.Request) error {
				if calls.Add(1) <= 3 {
					return fmt.Errorf("try: %w", sentinel)
				}
				return nil
			}})
			s.submit(1, edgelens.QueueInteractive)
			switch {
			case slices.Contains(permanent, sentinel):
				s.allDone(1, edgelens.JobFailed)
				if job := s.ledger.job("job-0000"); calls.Load() != 1 || job.Error.Code != edgelens.Code(sentinel) {
					t.Errorf("%d calls, error %+v", calls.Load(), job.Error)
				}
			case slices.Contains(refunded, sentinel):
				s.allDone(1, edgelens.JobSucceeded)
			default: // poison after two attempts
				s.allDone(1, edgelens.JobFailed)
				if calls.Load() != 2 {
					t.Errorf("%d calls, want 2", calls.Load())
				}
			}
		})
	}
}

// A core that had no slot in time delays a job without failing it.
func TestBusyCore(t *testing.T) {
	var calls atomic.Int64
	s := newSystem(t, supervisetest.Start(t), newMemory("job"), &recognizer{do: func(context.Context, *edgelens.Request) error {
		if calls.Add(1) < 4 {
			return &edgelens.Busy{Reason: "full"}
		}
		return nil
	}})
	s.submit(1, edgelens.QueueInteractive)
	s.allDone(1, edgelens.JobSucceeded)
	if job := s.ledger.job("job-0000"); job.Attempts != 1 {
		t.Errorf("%d attempts, want 1", job.Attempts)
	}
}

// A job is not tried again before the time that a busy part asks for.
func TestBusyPartDelaysJob(t *testing.T) {
	const retryAfter = 3 * time.Second
	calls := make(chan time.Time, 2)
	s := newSystem(t, supervisetest.Start(t), newMemory("job"), &recognizer{do: func(context.Context, *edgelens.Request) error {
		if calls <- time.Now(); len(calls) == 1 {
			return &edgelens.Busy{RetryAfter: retryAfter, Reason: "full"}
		}
		return nil
	}})
	s.submit(1, edgelens.QueueInteractive)
	s.allDone(1, edgelens.JobSucceeded)
	if first, second := <-calls, <-calls; second.Sub(first) < retryAfter {
		t.Errorf("tried again after %v, want %v at least", second.Sub(first), retryAfter)
	}
}

func TestCancel(t *testing.T) {
	entered := make(chan struct{}, 4)
	s := newSystem(t, supervisetest.Start(t), newMemory("job"), &recognizer{do: func(ctx context.Context, _ *edgelens.Request) error {
		entered <- struct{}{}
		<-ctx.Done()
		return fmt.Errorf("%w", edgelens.ErrCanceled)
	}})
	s.submit(3, edgelens.QueueInteractive)
	for range 3 {
		<-entered
	}
	for _, id := range []string{"job-0002", "job-0001", "job-0000"} {
		if _, err := s.queue.Cancel(context.Background(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := s.queue.Cancel(context.Background(), "job-0000"); !errors.Is(err, edgelens.ErrFinished) {
		t.Errorf("canceling again: %v, want edgelens.ErrFinished", err)
	}
	s.allDone(3, edgelens.JobCanceled)
	testutil.Eventually(t, "nothing runs", func() bool { return s.recognizer.running.Load() == 0 })
}

// Whatever data Redis loses, the jobs are done.
func TestRedisLosesData(t *testing.T) {
	for name, lose := range map[string]func(*supervisetest.Redis){
		"FLUSHALL":       (*supervisetest.Redis).FlushAll,
		"kill -9, empty": func(r *supervisetest.Redis) { r.Servers[0].Kill(); r.Servers[0].Start() },
	} {
		t.Run(name, func(t *testing.T) {
			r := supervisetest.Start(t)
			var hold atomic.Bool
			hold.Store(true)
			s := newSystem(t, r, newMemory("job"), &recognizer{do: func(ctx context.Context, _ *edgelens.Request) error {
				for hold.Load() && ctx.Err() == nil {
					time.Sleep(time.Millisecond) // the work itself
				}
				return nil
			}})
			s.submit(40, edgelens.QueueInteractive)
			testutil.Eventually(t, "some are at hand", func() bool { return s.recognizer.running.Load() == interactiveAtHand })
			lose(r)
			hold.Store(false)
			s.allDone(40, edgelens.JobSucceeded)
		})
	}
}

// With Redis down, a submission is accepted at once and done later.
func TestRedisDown(t *testing.T) {
	r := supervisetest.Start(t)
	s := newSystem(t, r, newMemory("job"), &recognizer{})
	s.submit(1, edgelens.QueueInteractive)
	s.allDone(1, edgelens.JobSucceeded)
	r.Servers[0].Kill()
	start := time.Now()
	s.submit(3, edgelens.QueueInteractive)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("three submissions took %v", took)
	}
	r.Servers[0].Start()
	s.allDone(4, edgelens.JobSucceeded)
}

// A restarted process finishes the jobs of the previous one, also those that Redis still holds for active.
func TestRestart(t *testing.T) {
	r, ledger := supervisetest.Start(t), newMemory("job")
	stuck := make(chan struct{})
	first := newSystem(t, r, ledger, &recognizer{do: func(context.Context, *edgelens.Request) error { <-stuck; return nil }})
	first.submit(10, edgelens.QueueInteractive)
	testutil.Eventually(t, "some are at hand", func() bool { return first.recognizer.running.Load() == interactiveAtHand })
	// The first process is stuck: its attempts never return in time.
	second := newSystem(t, r, ledger, &recognizer{})
	testutil.Eventually(t, "the rest is done", func() bool { return ledger.statuses()[edgelens.JobSucceeded] == 10 })
	close(stuck)
	second.ledger.checkOnce(t)
}

func TestConfigValidate(t *testing.T) {
	config := worker.Config{RedisURL: "http://user:secret@host", Concurrency: 0, JobTimeout: 1, AttemptTimeout: 1}
	err := config.Validate()
	for _, name := range []string{"redis_url", "concurrency", "job_timeout", "attempt_timeout"} {
		if err == nil || !strings.Contains(err.Error(), name+" must") {
			t.Errorf("no error about %s in %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the password is in %v", err)
	}
	for url, valid := range map[string]bool{
		"redis://h:6379/0": true, "rediss://h": true, "redis-socket:///run/s": true, "unix:///run/s": true, "redis-cluster://a:1,b:2": true,
		"redis-sentinel://h:1?master=m": true, "redis-sentinel://:secret@a:1,b:2?master=m": true, "redis-cluster://u:secret@a:1,b:2/": true,
		"redis-sentinel://h:1": false, "redis-sentinel://?master=m": false, "redis-cluster://": false, "redis-socket://": false,
		"redis://:secret@h:port": false, "redis://:secret@h/first": false, "h:6379": false,
	} {
		config := worker.DefaultConfig()
		config.RedisURL, config.Concurrency = url, 1
		if err := config.Validate(); (err == nil) != valid || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want valid: %v", url, err, valid)
		}
	}
}
