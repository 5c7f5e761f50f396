package worker

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// failuresUntilPause is how many scripts must fail in a row before asynq is slowed down: a single one may fail
	// because of its task.
	failuresUntilPause = 3
	// pause is the delay of each further failure.
	pause = 250 * time.Millisecond
)

// pace is a hook that slows down scripts while they fail: asynq asks for the next task at once after a failure, which
// takes most of a core. It is safe for use by many goroutines.
type pace struct {
	failures *atomic.Int64
	stopping <-chan struct{}
}

// DialHook implements redis.Hook.
func (pace) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

// ProcessHook implements redis.Hook.
func (p pace) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if !strings.HasPrefix(cmd.Name(), "eval") {
			return err
		}
		if err == nil || errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "NOSCRIPT") {
			p.failures.Store(0)
			return err
		}
		if p.failures.Add(1) >= failuresUntilPause {
			p.wait(ctx)
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (pace) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return next(ctx, cmds) }
}

func (p pace) wait(ctx context.Context) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-p.stopping:
	}
}
