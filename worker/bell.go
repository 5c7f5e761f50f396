package worker

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// lookInterval is how often an idle worker looks into a Redis that it shares for tasks of other nodes, and
	// privateLookInterval into one of its own, for what no one has rung for.
	lookInterval, privateLookInterval = 250 * time.Millisecond, 2 * time.Second
	// restInterval is how often a worker looks that has found no task for restAfter: the looks of many idle nodes all go to
	// the servers of the queues.
	restInterval, restAfter = time.Second, 10 * time.Second
	// checkInterval is how long asynq sleeps after it found no task: it then waits for the bell.
	checkInterval = 2 * time.Millisecond
)

// bell is a hook that has asynq wait until there may be a task. asynq sleeps for an interval after it found none, and
// cannot be woken; so it gets a short interval, and its next look waits here until this process has enqueued a task,
// or another process may have. It is safe for use by many goroutines.
type bell struct {
	rounds map[string]*round // by queue
	// every is how often asynq looks unasked.
	every    time.Duration
	stopping <-chan struct{}
}

// round is a look of one asynq server through all its queues, in order. One goroutine does it.
type round struct {
	// first is the queue that it asks first.
	first string
	// empty is set while none of the queues had a task.
	empty bool
	// looked is when it began, found when one last had a task, or the start.
	looked, found time.Time
	rung          chan struct{} // has room for one
}

func newBell(every time.Duration, stopping <-chan struct{}) *bell {
	return &bell{rounds: map[string]*round{}, every: every, stopping: stopping}
}

// add prepares for a server with these queues, highest first.
func (b *bell) add(queues ...string) {
	r := &round{first: queues[0], rung: make(chan struct{}, 1), found: time.Now()}
	for _, queue := range queues {
		b.rounds[queue] = r
	}
}

// ring has the server of a queue look, as there may be a task.
func (b *bell) ring(queue string) {
	if r := b.rounds[queue]; r != nil {
		select {
		case r.rung <- struct{}{}:
		default:
		}
	}
}

// DialHook implements redis.Hook.
func (*bell) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

// ProcessHook implements redis.Hook.
func (b *bell) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if queue, ok := forwardedTo(cmd); ok {
			err := next(ctx, cmd)
			if n, isNumber := replyOf(cmd).(int64); err == nil && (!isNumber || n > 0) {
				b.ring(queue)
			}
			return err
		}
		queue, ok := dequeuedFrom(cmd)
		r := b.rounds[queue]
		if !ok || r == nil {
			return next(ctx, cmd)
		}
		if queue == r.first {
			b.await(ctx, r)
			r.empty, r.looked = true, time.Now()
		}
		err := next(ctx, cmd)
		r.empty = r.empty && errors.Is(err, redis.Nil)
		if err == nil {
			r.found = time.Now()
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (*bell) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return next(ctx, cmds) }
}

// await waits until a server whose queues were empty is to look again.
func (b *bell) await(ctx context.Context, r *round) {
	if !r.empty {
		return
	}
	every := b.every
	if time.Since(r.found) > restAfter {
		every = max(every, restInterval)
	}
	timer := time.NewTimer(every - time.Since(r.looked))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.rung:
	case <-ctx.Done():
	case <-b.stopping:
	}
}

// The scripts of asynq 0.26 are known by their keys: dequeue has the pending and the paused key of a queue first
// (internal/rdb, dequeueCmd), forward a set of delayed tasks and the pending key (forwardCmd).

// dequeuedFrom returns the queue that a command takes a task from.
func dequeuedFrom(cmd redis.Cmder) (queue string, ok bool) {
	keys := keysOf(cmd)
	if len(keys) != 4 || !strings.HasSuffix(keys[1], "}:paused") {
		return "", false
	}
	return pendingQueue(keys[0])
}

// forwardedTo returns the queue to which a command moves tasks whose time has come.
func forwardedTo(cmd redis.Cmder) (queue string, ok bool) {
	keys := keysOf(cmd)
	if len(keys) != 2 || !strings.HasSuffix(keys[0], "}:retry") && !strings.HasSuffix(keys[0], "}:scheduled") {
		return "", false
	}
	return pendingQueue(keys[1])
}

// pendingQueue returns the queue of a key such as asynq:{bulk}:pending.
func pendingQueue(key string) (queue string, ok bool) {
	queue, isOne := strings.CutPrefix(key, "asynq:{")
	queue, isPending := strings.CutSuffix(queue, "}:pending")
	return queue, isOne && isPending
}

// keysOf returns the keys of a script; none of another command.
func keysOf(cmd redis.Cmder) (keys []string) {
	if !strings.HasPrefix(cmd.Name(), "eval") {
		return nil
	}
	args := cmd.Args() // command, script, number of keys, keys
	if len(args) < 3 {
		return nil
	}
	n, ok := args[2].(int)
	if !ok || n < 0 || len(args) < 3+n {
		return nil
	}
	for _, arg := range args[3 : 3+n] {
		key, ok := arg.(string)
		if !ok {
			return nil
		}
		keys = append(keys, key)
	}
	return keys
}

// replyOf returns the reply to a script; nil if there is none.
func replyOf(cmd redis.Cmder) any {
	if c, ok := cmd.(*redis.Cmd); ok {
		return c.Val()
	}
	return nil
}
