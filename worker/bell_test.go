package worker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// looks is how asynq looks for tasks of two queues, for some time: the times at which it asked Redis, which has tasks
// tasks in the second queue.
func looks(b *bell, during time.Duration, tasks int) (at []time.Duration) {
	begin := time.Now()
	process := b.ProcessHook(func(_ context.Context, cmd redis.Cmder) error {
		if queue, _ := dequeuedFrom(cmd); queue != "interactive" {
			return redis.Nil
		}
		at = append(at, time.Since(begin))
		if tasks == 0 {
			return redis.Nil
		}
		tasks--
		return nil
	})
	for time.Since(begin) < during {
		found := false
		for _, queue := range []string{"device", "interactive"} {
			found = found || process(context.Background(), dequeue(queue)) == nil
		}
		if !found {
			time.Sleep(time.Millisecond)
		}
	}
	return at
}

func dequeue(queue string) redis.Cmder {
	key := "asynq:{" + queue + "}:"
	return redis.NewCmd(context.Background(), "evalsha", "0123", 4, key+"pending", key+"paused", key+"active", key+"lease", 1, key+"t:")
}

func newTestBell(stopping <-chan struct{}) *bell {
	b := newBell(2*time.Second, stopping)
	b.add("device", "interactive")
	return b
}

// A queue without tasks is asked at the interval, one that has some at once again, and one that the bell is rung for at once.
func TestBell(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if at := looks(newTestBell(nil), 20*time.Second, 0); len(at) < 9 || len(at) > 11 {
				t.Errorf("%d looks in 20 s, want one every 2 s: %v", len(at), at)
			}
		})
	})
	t.Run("idle for long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBell(250*time.Millisecond, nil)
			b.add("device", "interactive")
			if at := looks(b, 30*time.Second, 0); len(at) < 56 || len(at) > 64 {
				t.Errorf("%d looks in 30 s, want one every 250 ms for 10 s and then one a second: %v", len(at), at)
			}
		})
	})
	t.Run("tasks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if at := looks(newTestBell(nil), time.Second, 50); len(at) < 51 || at[50] != 0 {
				t.Errorf("%d looks, the last after %v; want 50 tasks to be taken at once", len(at), at[len(at)-1])
			}
		})
	})
	t.Run("rung", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newTestBell(nil)
			for i := range 2 {
				time.AfterFunc(time.Duration(i+1)*300*time.Millisecond, func() { b.ring("interactive") })
			}
			if at := looks(b, 2*time.Second, 0); len(at) != 4 || at[1] != 300*time.Millisecond || at[2] != 600*time.Millisecond {
				t.Errorf("looks at %v, want them at 0, 300 ms, 600 ms and 2.6 s", at)
			}
		})
	})
	t.Run("rung for a delayed task", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newTestBell(nil)
			forward := b.ProcessHook(func(_ context.Context, cmd redis.Cmder) error {
				cmd.(*redis.Cmd).SetVal(int64(1))
				return nil
			})
			time.AfterFunc(300*time.Millisecond, func() {
				_ = forward(context.Background(), redis.NewCmd(context.Background(), "evalsha", "0123", 2, "asynq:{device}:retry", "asynq:{device}:pending", 1))
			})
			if at := looks(b, time.Second, 0); len(at) != 3 || at[1] != 300*time.Millisecond {
				t.Errorf("looks at %v, want one at 300 ms", at)
			}
		})
	})
	t.Run("stopping", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stopping := make(chan struct{})
			time.AfterFunc(100*time.Millisecond, func() { close(stopping) })
			if at := looks(newTestBell(stopping), 150*time.Millisecond, 0); len(at) < 3 || at[1] != 100*time.Millisecond {
				t.Errorf("looks at %v, want asynq not to wait from 100 ms on", at)
			}
		})
	})
}
