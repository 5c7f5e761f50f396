package worker_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"edgelens"
	"edgelens/internal/clocks"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

// A retry is not delayed by as much as the clock was set back: the times in Redis are an hour ahead then.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var back time.Duration
	start, refuse := time.Now(), true
	r := supervisetest.Start(t)
	s := newSystem(t, r, newMemory("job"), &recognizer{do: func(context.Context, *edgelens.Request) error {
		mu.Lock()
		defer mu.Unlock()
		if refuse {
			return edgelens.ErrInference
		}
		return nil
	}})
	s.queue.SetClock(func() clocks.Reading {
		mu.Lock()
		defer mu.Unlock()
		return clocks.Reading{Wall: time.Now().Round(0).Add(-back), Monotonic: time.Since(start)}
	})
	s.submit(1, edgelens.QueueInteractive)
	ctx := context.Background()
	var waiting []redis.Z
	testutil.Eventually(t, "the job waits for its retry", func() bool {
		for _, key := range append(r.Keys("asynq:*:retry"), r.Keys("asynq:*:scheduled")...) {
			waiting, _ = r.Client.ZRangeWithScores(ctx, key, 0, -1).Result()
			for _, task := range waiting {
				if err := r.Client.ZIncrBy(ctx, key, 3600, task.Member.(string)).Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
		return len(waiting) > 0
	})
	mu.Lock()
	refuse, back = false, time.Hour
	mu.Unlock()
	s.allDone(1, edgelens.JobSucceeded)
	if name := waiting[0].Member.(string); !strings.Contains(name, ".") {
		t.Errorf("task %s has no generation", name)
	}
}
