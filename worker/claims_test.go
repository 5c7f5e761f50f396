package worker_test

import (
	"context"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

// A job for which there is a place needs no Redis: it is worked on while Redis is down.
func TestClaimedJobsNeedNoRedis(t *testing.T) {
	redis := supervisetest.Start(t)
	s := newSystem(t, redis, newMemory("job"), &recognizer{})
	redis.Servers[0].Kill()
	s.submit(1, edgelens.QueueInteractive)
	s.submit(1, edgelens.QueueBulk)
	s.allDone(2, edgelens.JobSucceeded)
	s.ledger.checkOnce(t)
}

// A claimed job whose attempt fails is tried again.
func TestClaimedJobIsRetried(t *testing.T) {
	r := &recognizer{}
	failures := 1
	r.do = func(ctx context.Context, _ *edgelens.Request) error {
		if failures > 0 {
			failures--
			return edgelens.ErrInference
		}
		return nil
	}
	s := newSystem(t, supervisetest.Start(t), newMemory("job"), r)
	s.submit(1, edgelens.QueueInteractive)
	s.allDone(1, edgelens.JobSucceeded)
	if attempts := s.ledger.job("job-0000").Attempts; attempts != 2 {
		t.Errorf("%d attempts", attempts)
	}
}

// Of a flood, no more jobs are at hand than there are places, however they come; a job of a device is claimed beside it.
func TestPlacesBoundTheJobsAtHand(t *testing.T) {
	hold := make(chan struct{})
	r := &recognizer{}
	r.do = func(ctx context.Context, req *edgelens.Request) error {
		if req.Device != "" {
			return nil
		}
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return nil
	}
	s := newSystem(t, supervisetest.Start(t), newMemory("job"), r)
	s.submit(100, edgelens.QueueInteractive)
	testutil.Eventually(t, "all places are taken", func() bool { return s.ledger.statuses()[edgelens.JobRunning] == interactiveAtHand })

	door := s.submitOf("gate")
	testutil.Eventually(t, "the device's job is done", func() bool { return s.ledger.job(door).Status == edgelens.JobSucceeded })
	if n := s.ledger.statuses()[edgelens.JobRunning]; n > interactiveAtHand {
		t.Errorf("%d jobs are at hand, and %d have a place", n, interactiveAtHand)
	}
	close(hold)
	s.allDone(101, edgelens.JobSucceeded)
	s.ledger.checkOnce(t)
}

// A job starts long before the next poll of Redis.
func TestClaimedJobStartsAtOnce(t *testing.T) {
	s := newSystem(t, supervisetest.Start(t), newMemory("job"), &recognizer{})
	time.Sleep(time.Second) // until asynq polls rarely
	var slowest time.Duration
	for n := range 20 {
		begun := time.Now()
		s.submit(1, edgelens.QueueInteractive)
		testutil.Eventually(t, "the job is done", func() bool { return s.ledger.statuses()[edgelens.JobSucceeded] == n+1 })
		slowest = max(slowest, time.Since(begun))
	}
	if slowest > 100*time.Millisecond { // by Redis, half of them would take longer than that
		t.Errorf("a job took %v", slowest)
	}
}
