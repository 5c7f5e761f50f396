package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/internal/uuid7"
	"edgelens/worker"
)

// otherRedis are the kinds of Redis over which nodes ask each other.
var otherRedis = map[string]func(testing.TB) *supervisetest.Redis{
	"one server": func(t testing.TB) *supervisetest.Redis { return supervisetest.Start(t) },
	"cluster":    supervisetest.StartCluster,
}

// newAskedNode starts the queue of a node that works on nothing. Its jobs' ids end with its tag.
func newAskedNode(t *testing.T, redis *supervisetest.Redis, name string, ledger *memory) *worker.Queue {
	t.Helper()
	ledger.suffix = "-" + uuid7.TagOf(name).String()
	config := worker.DefaultConfig()
	config.RedisURL, config.Concurrency = redis.URL, 1
	queue, err := worker.NewQueue(config, name, ledger, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() }) // some tests close it themselves
	testutil.Eventually(t, name+" is known", func() bool { return len(redis.Keys("edgelens:node:"+uuid7.TagOf(name).String())) == 1 })
	return queue
}

func accept(t *testing.T, queue *worker.Queue) edgelens.Job {
	t.Helper()
	job, _, err := queue.Submit(t.Context(), edgelens.JobSpec{Source: "http", Queue: edgelens.QueueInteractive, Owner: "ann"}, []byte("image"))
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// Behind a load balancer, a client may ask any node for its job, wait for it there, and cancel it.
func TestAnyNodeKnowsTheJob(t *testing.T) {
	for name, start := range otherRedis {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			ledger := newMemory("job")
			asked, accepting := newAskedNode(t, r, "asked", newMemory("other")), newAskedNode(t, r, "accepting", ledger)
			job := accept(t, accepting)
			got, err := asked.Job(t.Context(), job.ID)
			if err != nil || got.ID != job.ID || got.Status != edgelens.JobQueued || got.Owner != "ann" {
				t.Fatalf("got %+v, %v", got, err)
			}

			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if got, err = asked.Wait(short, job.ID); err != nil || got.Status != edgelens.JobQueued {
				t.Errorf("at the end of the time it got %s, %v; want it as it is", got.Status, err)
			}

			waited := make(chan edgelens.Job, 1)
			go func() {
				job, _ := asked.Wait(t.Context(), job.ID)
				waited <- job
			}()
			time.Sleep(100 * time.Millisecond) // so that it waits at the other node
			done := time.Now()
			if err := ledger.Finish(t.Context(), job.ID, &edgelens.Result{RequestID: job.ID}); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-waited:
				if took := time.Since(done); got.Status != edgelens.JobSucceeded || got.Result == nil || took > time.Second {
					t.Errorf("after %v it got %+v", took, got)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the wait does not end")
			}

			if got, err = asked.Cancel(t.Context(), job.ID); !errors.Is(err, edgelens.ErrFinished) {
				t.Errorf("canceling a job that has ended: %v, %v", got.Status, err)
			}
			second := accept(t, accepting)
			if got, err = asked.Cancel(t.Context(), second.ID); err != nil || got.Status != edgelens.JobCanceled || ledger.job(second.ID).Status != edgelens.JobCanceled {
				t.Errorf("canceling: %s, %v", got.Status, err)
			}
		})
	}
}

// What no node has accepted is not found, whatever its id ends with.
func TestUnknownJobIsNotFoundAnywhere(t *testing.T) {
	t.Parallel()
	r := supervisetest.Start(t)
	asked := newAskedNode(t, r, "asked", newMemory("other"))
	newAskedNode(t, r, "accepting", newMemory("job"))
	for name, id := range map[string]string{
		"no node's":         "0197a000-0000-7000-8000-0000deadbeef",
		"its own":           "0197a000-0000-7000-8000-0000" + uuid7.TagOf("asked").String(),
		"the other's":       "0197a000-0000-7000-8000-0000" + uuid7.TagOf("accepting").String(),
		"no hexadecimal id": "job",
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			_, looked := asked.Job(t.Context(), id)
			_, waited := asked.Wait(t.Context(), id)
			_, canceled := asked.Cancel(t.Context(), id)
			for _, err := range []error{looked, waited, canceled} {
				if !errors.Is(err, edgelens.ErrNotFound) {
					t.Errorf("got %v", err)
				}
			}
			if took := time.Since(begun); took > time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// While the accepting node is away, its jobs are not unknown; a client that waits does not notice that it restarts.
func TestAskedNodeRestarts(t *testing.T) {
	t.Parallel()
	r := supervisetest.Start(t)
	ledger := newMemory("job")
	asked, accepting := newAskedNode(t, r, "asked", newMemory("other")), newAskedNode(t, r, "accepting", ledger)
	job := accept(t, accepting)
	if err := ledger.Finish(t.Context(), job.ID, &edgelens.Result{RequestID: job.ID}); err != nil {
		t.Fatal(err)
	}
	if err := accepting.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := asked.Job(t.Context(), job.ID); !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("without the accepting node: %s, %v; want that it does not answer", got.Status, err)
	}
	waited := make(chan error, 1)
	go func() {
		got, err := asked.Wait(t.Context(), job.ID)
		if err == nil && got.Status != edgelens.JobSucceeded {
			err = errors.New("it is " + string(got.Status))
		}
		waited <- err
	}()
	newAskedNode(t, r, "accepting", ledger)
	select {
	case err := <-waited:
		if err != nil {
			t.Errorf("a client that waited got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the wait does not end")
	}
}

// A node without Redis' answer does not call a job unknown.
func TestLookUpWithoutRedis(t *testing.T) {
	t.Parallel()
	r := supervisetest.Start(t)
	asked := newAskedNode(t, r, "asked", newMemory("other"))
	r.Servers[0].Kill()
	if _, err := asked.Job(t.Context(), "0197a000-0000-7000-8000-0000deadbeef"); !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("got %v", err)
	}
}
