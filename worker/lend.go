package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/stored"

	"github.com/redis/go-redis/v9"
)

const (
	// lenders is how many requests of other workers are served at a time.
	lenders = 8
	// leaseMargin is what a lent attempt may take beyond its timeout, to
	// say how it ended.
	leaseMargin = 5 * time.Second
	// leaseTimeout bounds the serving of one request.
	leaseTimeout = 10 * time.Second
)

// lend serves the requests of other processes' workers for the jobs of this
// node, until ctx ends; then it finishes what it has taken.
func (q *Queue) lend(ctx context.Context) {
	key := requestsKey(q.node)
	var serving sync.WaitGroup
	defer serving.Wait()
	slots := make(chan struct{}, lenders)
	fresh := false
	for ctx.Err() == nil {
		if !fresh {
			// Who asked the process before this one has given up.
			fresh = q.redis.Del(ctx, key).Err() == nil
		}
		popped, err := q.redis.BLPop(ctx, time.Second, key).Result()
		switch {
		case errors.Is(err, redis.Nil):
			continue
		case err != nil:
			select { // Redis is away
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		r, err := parseRequest(popped[1])
		if err != nil {
			q.log.Warn("a worker asked for something that cannot be read; is it of another version?", "error", err)
			continue
		}
		slots <- struct{}{} // served ones always end
		serving.Go(func() {
			defer func() { <-slots }()
			// What was taken from the list is served, also while stopping.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
			defer cancel()
			q.answer(ctx, r)
		})
	}
}

// answer serves one request and says what came of it.
func (q *Queue) answer(ctx context.Context, r request) {
	a := q.serve(ctx, r)
	if r.Reply == "" {
		return
	}
	text, err := json.Marshal(a)
	if err == nil {
		err = push(ctx, q.redis, r.Reply, text, answerTTL)
	}
	if err != nil {
		q.log.Warn("a worker was not answered; it will ask again or its attempt counts as lost", "job", r.ID, "op", r.Op, "error", err)
	}
}

func (q *Queue) serve(ctx context.Context, r request) answer {
	switch r.Op {
	case opStart:
		return q.leaseJob(ctx, r)
	case opRelease:
		if !q.running.leasedAs(r.ID, r.Lease) {
			// Given up, or never begun: to refund it would take back another
			// attempt. Who has the job now, or the sweep, goes on with it.
			return answerTo(ErrDone)
		}
		defer q.running.returned(r.ID, r.Lease)
		return answerTo(q.ledger.Release(ctx, r.ID, r.Refund))
	case opFinish:
		if r.Result == nil {
			return answer{Detail: "there is no result to finish the job with"}
		}
		defer q.running.returned(r.ID, r.Lease)
		return answerTo(q.ledger.Finish(ctx, r.ID, r.Result.Result()))
	case opFail:
		if r.Why == nil {
			return answer{Detail: "there is no error to fail the job with"}
		}
		defer q.running.returned(r.ID, r.Lease)
		return answerTo(q.ledger.Fail(ctx, r.ID, edgelens.JobError(*r.Why)))
	}
	return answer{Detail: fmt.Sprintf("there is no operation %q; is the worker of another version?", r.Op)}
}

// leaseJob starts a job and puts its image where the worker can fetch it.
func (q *Queue) leaseJob(ctx context.Context, r request) answer {
	due := time.Now().Add(q.config.AttemptTimeout + leaseMargin)
	if !q.running.lend(r.ID, jobLease{lease: r.Lease, due: due}) {
		return answerTo(ErrDone)
	}
	job, image, err := q.ledger.Start(ctx, r.ID)
	if err != nil {
		q.running.returned(r.ID, r.Lease)
		return answerTo(err)
	}
	q.running.setQueue(r.ID, job.Queue)
	key := imageKey()
	if err := q.redis.Set(ctx, key, image, imageTTL).Err(); err != nil {
		q.running.returned(r.ID, r.Lease)
		return answerTo(errors.Join(fmt.Errorf("hand over the image: %w", err), q.ledger.Release(ctx, r.ID, true)))
	}
	a := answerTo(nil)
	a.Job, a.Image = stored.NewJob(job), key
	return a
}

// takeBack makes new tasks for jobs that were lent to processes which do not
// come back. Their old tasks, which Redis holds for active, find them done.
func (q *Queue) takeBack(ctx context.Context) {
	for id, l := range q.running.overdue(time.Now()) {
		if err := q.dispatchAs(ctx, id+"."+l.lease, id, l.queue); err != nil {
			continue // Redis is away; the next tick tries again
		}
		q.log.Warn("a worker did not come back with a job; another will take it", "job", id)
		q.running.returned(id, l.lease)
	}
}

// push appends to a list and bounds its life, in one round trip.
func push(ctx context.Context, client redis.UniversalClient, key string, text []byte, ttl time.Duration) error {
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, key, text)
		p.Expire(ctx, key, ttl)
		return nil
	})
	return err
}
