package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// connect returns a client, which dials on first use, and sets unsure whenever a command gets no answer.
//
// Its commands end with their contexts: without that, a hanging Redis would block a submission for go-redis' read
// timeout of 3 s, regardless of redisTimeout. It does not retry a command by itself: Redis may have executed one
// without an answer, and a task that was dequeued twice is lost.
func connect(url string, unsure *atomic.Bool) (redis.UniversalClient, error) {
	option, err := parseRedisURL(url)
	if err != nil {
		return nil, fmt.Errorf("the Redis URL %w", err)
	}
	client, ok := option.MakeRedisClient().(redis.UniversalClient)
	if !ok {
		return nil, errors.New("connect to Redis: asynq made an unexpected client")
	}
	switch c := client.(type) {
	case *redis.Client:
		c.Options().ContextTimeoutEnabled = true
		c.Options().MaxRetries = 0
	case *redis.ClusterClient:
		c.Options().ContextTimeoutEnabled = true
		// A cluster client retries, so only the connections to its servers can report that the first try had no answer.
		c.OnNewNode(func(server *redis.Client) { server.AddHook(answers{unsure}) })
	default:
		return nil, fmt.Errorf("connect to Redis: unexpected client %T", client)
	}
	client.AddHook(answers{unsure})
	return client, nil
}

// answers is a hook that detects commands without an answer.
type answers struct{ missing *atomic.Bool }

func (a answers) note(err error) error {
	var answer redis.Error
	if err != nil && !errors.As(err, &answer) {
		a.missing.Store(true)
	}
	return err
}

// DialHook implements redis.Hook.
func (answers) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

// ProcessHook implements redis.Hook.
func (a answers) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return a.note(next(ctx, cmd)) }
}

// ProcessPipelineHook implements redis.Hook.
func (a answers) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return a.note(next(ctx, cmds)) }
}
