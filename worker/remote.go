package worker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"edgelens/internal/stored"

	"github.com/redis/go-redis/v9"

	"edgelens"
)

const (
	// askTimeout bounds the wait for a node's answer. Redis counts in seconds.
	askTimeout = 3 * time.Second
	// silencePause is how long no jobs are started at a node that did not answer, so that unreachable nodes do not
	// delay the jobs of others.
	silencePause = 5 * time.Second
)

// errSilent means that a node did not answer. The task is requeued.
var errSilent = errors.New("the node that accepted the job does not answer")

// remoteStore is the JobStore of another node, for one attempt at a job. It sends its requests through Redis.
type remoteStore struct {
	redis redis.UniversalClient
	node  string
	lease string
	quiet *silences
}

func newRemoteStore(client redis.UniversalClient, node string, quiet *silences) *remoteStore {
	return &remoteStore{redis: client, node: node, lease: rand.Text(), quiet: quiet}
}

// Start asks once: after a second request it could not know how many attempts were counted.
func (d *remoteStore) Start(ctx context.Context, id string) (edgelens.Job, []byte, error) {
	if d.quiet.holds(d.node) {
		return edgelens.Job{}, nil, errSilent
	}
	a, err := d.ask(ctx, request{Op: opStart, ID: id})
	if errors.Is(err, errSilent) {
		d.quiet.note(d.node)
	}
	if err != nil {
		return edgelens.Job{}, nil, err
	}
	if a.Job == nil {
		return edgelens.Job{}, nil, errors.New("the accepting node's answer to a start lacks the job: it may have another version")
	}
	image, err := d.fetch(ctx, a.Image)
	if err != nil {
		put := d.send(context.WithoutCancel(ctx), request{Op: opRelease, ID: id, Refund: true})
		return edgelens.Job{}, nil, errors.Join(fmt.Errorf("fetch the image: %w", err), put)
	}
	return a.Job.Job(), image, nil
}

// Release implements JobStore.
func (d *remoteStore) Release(ctx context.Context, id string, refund bool) error {
	return d.askUntilAnswered(ctx, request{Op: opRelease, ID: id, Refund: refund})
}

// Finish implements JobStore.
func (d *remoteStore) Finish(ctx context.Context, id string, result *edgelens.Result) error {
	return d.askUntilAnswered(ctx, request{Op: opFinish, ID: id, Result: stored.NewResult(result)})
}

// Fail implements JobStore.
func (d *remoteStore) Fail(ctx context.Context, id string, why edgelens.JobError) error {
	return d.askUntilAnswered(ctx, request{Op: opFail, ID: id, Why: (*stored.JobError)(&why)})
}

// askUntilAnswered repeats a request until there is an answer or ctx ends. The ledger does nothing twice.
func (d *remoteStore) askUntilAnswered(ctx context.Context, r request) error {
	for {
		_, err := d.ask(ctx, r)
		var away *unansweredError
		if !errors.As(err, &away) || errors.Is(err, redis.ErrClosed) {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// unansweredError means that a request may or may not have been served.
type unansweredError struct{ err error }

func (e *unansweredError) Error() string { return e.err.Error() }
func (e *unansweredError) Unwrap() error { return e.err }

// ask pushes a request and waits for its answer. The error is the ledger's, or
// an unansweredError.
func (d *remoteStore) ask(ctx context.Context, r request) (answer, error) {
	r.Lease, r.Reply = d.lease, replyKey()
	text, err := json.Marshal(r)
	if err != nil {
		return answer{}, fmt.Errorf("ask the accepting node: %w", err)
	}
	if err := push(ctx, d.redis, requestsKey(d.node), text, requestTTL); err != nil {
		return answer{}, &unansweredError{fmt.Errorf("ask the accepting node: %w", err)}
	}
	popped, err := d.redis.BLPop(ctx, askTimeout, r.Reply).Result()
	if err != nil {
		d.withdraw(ctx, r, text)
		if errors.Is(err, redis.Nil) {
			err = errSilent
		}
		return answer{}, &unansweredError{fmt.Errorf("wait for the accepting node: %w", err)}
	}
	a, err := parseAnswer(popped[1])
	if err != nil {
		return answer{}, fmt.Errorf("read the accepting node's answer: %w", err)
	}
	return a, a.err()
}

// withdraw removes an unanswered request. If the node has dequeued a start meanwhile, the job is released, since no
// worker has it.
func (d *remoteStore) withdraw(ctx context.Context, r request, text []byte) {
	ctx = context.WithoutCancel(ctx)
	taken, err := d.redis.LRem(ctx, requestsKey(d.node), 1, text).Result()
	if err == nil && taken == 0 && r.Op == opStart {
		_ = d.send(ctx, request{Op: opRelease, ID: r.ID, Refund: true}) // if this fails, the lease expires
	}
}

// send pushes a request without waiting for an answer.
func (d *remoteStore) send(ctx context.Context, r request) error {
	r.Lease = d.lease
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return push(ctx, d.redis, requestsKey(d.node), text, requestTTL)
}

// fetch takes the image out of Redis. GETDEL would be one command, but Redis 6.0 lacks it.
func (d *remoteStore) fetch(ctx context.Context, key string) ([]byte, error) {
	var got *redis.StringCmd
	_, err := d.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		got = p.Get(ctx, key)
		p.Del(ctx, key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got.Bytes()
}

// silences are the nodes that did not answer recently. It is safe for use by many goroutines.
type silences struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (s *silences) note(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[string]time.Time{}
	}
	now := time.Now()
	// Expired entries are removed, since tasks can name any number of nodes.
	maps.DeleteFunc(s.until, func(_ string, until time.Time) bool { return now.After(until) })
	s.until[node] = now.Add(silencePause)
}

func (s *silences) holds(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, noted := s.until[node]
	if noted && time.Now().After(until) {
		delete(s.until, node)
		return false
	}
	return noted
}
