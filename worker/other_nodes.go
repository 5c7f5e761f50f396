package worker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"edgelens"
	"edgelens/internal/uuid7"
)

const (
	// knownFor is how long a node that is gone is known: until then its jobs cannot be looked up now, and after that there
	// are none.
	knownFor = 24 * time.Hour
	// awayTimeout is how long a question waits for a node that does not answer: it may be restarting.
	awayTimeout = 5 * time.Second
	// answerMargin is how long an answer may take, beyond the time for which it may wait, before the question is repeated.
	answerMargin = time.Second
	// askPause is the pause before a question is repeated.
	askPause = 100 * time.Millisecond
	// lookWait is how long one question waits for the end of a job, at most.
	lookWait = 3 * time.Second
)

// otherNodes asks the other nodes of the same Redis about jobs that they accepted: behind a load balancer a client
// reaches any node. All answers arrive on one list, which is read while there are questions. It is safe for use by many
// goroutines.
type otherNodes struct {
	redis redis.UniversalClient
	own   uuid7.Tag
	log   *slog.Logger
	// replies is the list for answers.
	replies string

	mu      sync.Mutex
	waiting map[string]chan<- answer // by lease
	reading bool
	closed  bool
	readers sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc
}

func newOtherNodes(client redis.UniversalClient, node string, log *slog.Logger) *otherNodes {
	o := &otherNodes{redis: client, own: uuid7.TagOf(node), log: log, replies: replyKey(), waiting: map[string]chan<- answer{}}
	o.ctx, o.stop = context.WithCancel(context.Background())
	return o
}

// close ends the questions under way.
func (o *otherNodes) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.stop()
	o.readers.Wait()
}

// job returns a job of another node.
func (o *otherNodes) job(ctx context.Context, id string) (edgelens.Job, error) {
	node, err := o.nodeOf(ctx, id)
	if err != nil {
		return edgelens.Job{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, awayTimeout)
	defer cancel()
	for {
		job, err := o.ask(ctx, node, request{Op: opLook, ID: id}, answerMargin)
		if !isUnanswered(err) || !pauseWithin(ctx) {
			return job, err
		}
	}
}

// pauseWithin waits before a question is repeated, as one that Redis refuses fails at once; false where ctx ended.
func pauseWithin(ctx context.Context) bool {
	select {
	case <-time.After(askPause):
		return true
	case <-ctx.Done():
		return false
	}
}

// wait returns a job of another node as soon as it is terminal, or as it is when ctx ends.
func (o *otherNodes) wait(ctx context.Context, id string) (edgelens.Job, error) {
	node, err := o.nodeOf(ctx, id)
	if err != nil {
		return edgelens.Job{}, err
	}
	var last edgelens.Job
	for ctx.Err() == nil {
		job, err := o.ask(ctx, node, request{Op: opLook, ID: id, WaitMS: lookWait.Milliseconds()}, lookWait+answerMargin)
		switch {
		case err == nil && !job.Status.Terminal():
			last = job
		case isUnanswered(err):
			pauseWithin(ctx)
		default:
			return job, err
		}
	}
	job, err := o.ask(context.WithoutCancel(ctx), node, request{Op: opLook, ID: id}, answerMargin)
	if isUnanswered(err) && last.ID != "" {
		return last, nil
	}
	return job, err
}

// cancel cancels a job of another node. It asks once: after a second question it could not know who canceled the job.
func (o *otherNodes) cancel(ctx context.Context, id string) (edgelens.Job, error) {
	node, err := o.nodeOf(ctx, id)
	if err != nil {
		return edgelens.Job{}, err
	}
	return o.ask(ctx, node, request{Op: opCancel, ID: id}, awayTimeout)
}

// register makes this node known to the others.
func (o *otherNodes) register(ctx context.Context, node string) error {
	return o.redis.Set(ctx, nodeKey(o.own), node, knownFor).Err()
}

// nodeOf returns the node that accepted a job, by the end of the job's id.
func (o *otherNodes) nodeOf(ctx context.Context, id string) (string, error) {
	unknown := fmt.Errorf("look up job %s: %w: no job has this id; it may have been removed for its age", id, edgelens.ErrNotFound)
	tag, ok := uuid7.TagIn(id)
	if !ok || tag == o.own {
		return "", unknown
	}
	ctx, cancel := context.WithTimeout(ctx, answerMargin)
	defer cancel()
	node, err := o.redis.Get(ctx, nodeKey(tag)).Result()
	switch {
	case errors.Is(err, redis.Nil), err == nil && len(node) > maxName:
		return "", unknown
	case err != nil:
		return "", unanswered(id, err)
	}
	return node, nil
}

// ask asks a node once, and waits that long for the answer.
func (o *otherNodes) ask(ctx context.Context, node string, r request, within time.Duration) (edgelens.Job, error) {
	r.Lease, r.Reply = rand.Text(), o.replies
	text, err := json.Marshal(r)
	if err != nil {
		return edgelens.Job{}, fmt.Errorf("ask the accepting node: %w", err)
	}
	answers, forget, err := o.expect(r.Lease)
	if err != nil {
		return edgelens.Job{}, err
	}
	defer forget()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := push(ctx, o.redis, looksKey(node), text, requestTTL); err != nil {
		return edgelens.Job{}, unanswered(r.ID, err)
	}
	select {
	case a := <-answers:
		return a.jobFor(r.ID)
	case <-ctx.Done():
		return edgelens.Job{}, unanswered(r.ID, ctx.Err())
	case <-o.ctx.Done():
		return edgelens.Job{}, fmt.Errorf("look up job %s: %w", r.ID, edgelens.ErrStopping)
	}
}

// jobFor returns the job of an answer about the job with that id.
func (a answer) jobFor(id string) (edgelens.Job, error) {
	if err := a.err(); err != nil {
		return edgelens.Job{}, err
	}
	if a.Job == nil || a.Job.ID != id {
		return edgelens.Job{}, errors.New("the accepting node's answer lacks the job: it may have another version")
	}
	job := a.Job.Job()
	job.Owner, job.Held = a.Owner, a.Held
	return job, nil
}

// errUnanswered means that a node did not answer, or that Redis does not.
var errUnanswered = errors.New("the node that accepted the job does not answer")

// unanswered is an error for the client: a retry is worth it.
func unanswered(id string, cause error) error {
	return fmt.Errorf("look up job %s: %w: %w: %w", id, edgelens.ErrStopping, errUnanswered, cause)
}

func isUnanswered(err error) bool { return errors.Is(err, errUnanswered) }

// expect returns a channel for the answer to a question, and a function that ends it.
func (o *otherNodes) expect(lease string) (answers <-chan answer, forget func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, nil, fmt.Errorf("ask another node: %w", edgelens.ErrStopping)
	}
	to := make(chan answer, 1)
	o.waiting[lease] = to
	if !o.reading {
		o.reading = true
		o.readers.Go(o.read)
	}
	return to, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.waiting, lease)
	}, nil
}

// done reports whether there is nothing to read, and notes that.
func (o *otherNodes) done() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reading = len(o.waiting) > 0 && !o.closed
	return !o.reading
}

// read passes answers on while any are expected.
func (o *otherNodes) read() {
	for !o.done() {
		popped, err := o.redis.BLPop(o.ctx, time.Second, o.replies).Result()
		switch {
		case errors.Is(err, redis.Nil):
			continue
		case err != nil:
			select { // Redis is unreachable
			case <-time.After(200 * time.Millisecond):
			case <-o.ctx.Done():
			}
			continue
		}
		a, err := parseAnswer(popped[1])
		if err != nil {
			o.log.Warn("another node's answer is invalid and was dropped; check that it has the same version", "error", err)
			continue
		}
		o.pass(a)
	}
}

func (o *otherNodes) pass(a answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if to := o.waiting[a.Lease]; to != nil {
		delete(o.waiting, a.Lease)
		to <- a // there is room: it is the only one
	}
}
