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
	// askTimeout is how long a node has to answer. Redis counts in seconds.
	askTimeout = 3 * time.Second
	// silencePause is how long a node that did not answer is not asked to
	// start jobs, so that those of nodes that are away hold up nobody.
	silencePause = 5 * time.Second
)

// errSilent says that a node did not answer. The task goes back.
var errSilent = errors.New("the node that accepted the job does not answer")

// remoteStore is the Desk of another node, for one attempt at a job. It asks
// through Redis.
type remoteStore struct {
	redis redis.UniversalClient
	node  string
	lease string
	quiet *silences
}

func newRemoteStore(client redis.UniversalClient, node string, quiet *silences) *remoteStore {
	return &remoteStore{redis: client, node: node, lease: rand.Text(), quiet: quiet}
}

// Start asks once: whoever asks a second time cannot know how many attempts
// were counted.
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
		return edgelens.Job{}, nil, errors.New("the accepting node started the job and did not say which; is it of another version?")
	}
	image, err := d.fetch(ctx, a.Image)
	if err != nil {
		put := d.tell(context.WithoutCancel(ctx), request{Op: opRelease, ID: id, Refund: true})
		return edgelens.Job{}, nil, errors.Join(fmt.Errorf("fetch the image: %w", err), put)
	}
	return a.Job.Job(), image, nil
}

// Release implements Desk.
func (d *remoteStore) Release(ctx context.Context, id string, refund bool) error {
	return d.insist(ctx, request{Op: opRelease, ID: id, Refund: refund})
}

// Finish implements Desk.
func (d *remoteStore) Finish(ctx context.Context, id string, result *edgelens.Result) error {
	return d.insist(ctx, request{Op: opFinish, ID: id, Result: stored.NewResult(result)})
}

// Fail implements Desk.
func (d *remoteStore) Fail(ctx context.Context, id string, why edgelens.JobError) error {
	return d.insist(ctx, request{Op: opFail, ID: id, Why: (*stored.JobError)(&why)})
}

// insist asks until there is an answer or ctx ends. The ledger sees to it that
// what was done is not done twice.
func (d *remoteStore) insist(ctx context.Context, r request) error {
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

// unansweredError says that a request may or may not have been served.
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

// withdraw takes a request back that nobody answered. A start that the node
// has taken meanwhile is put back, since nobody works on it.
func (d *remoteStore) withdraw(ctx context.Context, r request, text []byte) {
	ctx = context.WithoutCancel(ctx)
	taken, err := d.redis.LRem(ctx, requestsKey(d.node), 1, text).Result()
	if err == nil && taken == 0 && r.Op == opStart {
		_ = d.tell(ctx, request{Op: opRelease, ID: r.ID, Refund: true}) // else the node takes it back when it is overdue
	}
}

// tell pushes a request and waits for no answer.
func (d *remoteStore) tell(ctx context.Context, r request) error {
	r.Lease = d.lease
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return push(ctx, d.redis, requestsKey(d.node), text, requestTTL)
}

// fetch takes the image out of Redis. GETDEL would be one command, but Redis
// 6.0 has none.
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

// silences are the nodes that did not answer lately. It is safe for use by
// many goroutines.
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
	// Nobody may ask for them again: tasks can name any number of nodes.
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
