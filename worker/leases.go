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
	// maxLeaseRequests is how many requests of other workers are served at a time.
	maxLeaseRequests = 8
	// leaseMargin is added to the timeout of a leased attempt, for reporting its result.
	leaseMargin = 5 * time.Second
	// leaseTimeout bounds the serving of one request.
	leaseTimeout = 10 * time.Second
)

// serveLeases serves the requests of other processes' workers for the jobs of this node, and the questions of other nodes
// about them, until ctx ends; then it finishes those that it has dequeued.
func (q *Queue) serveLeases(ctx context.Context) {
	key, looks := requestsKey(q.node), looksKey(q.node)
	var serving sync.WaitGroup
	defer serving.Wait()
	slots := make(chan struct{}, maxLeaseRequests)
	fresh := false
	for ctx.Err() == nil {
		if !fresh {
			// Requests to the previous process have timed out.
			fresh = q.redis.Del(ctx, key).Err() == nil
		}
		popped, err := q.redis.BLPop(ctx, time.Second, key, looks).Result()
		switch {
		case errors.Is(err, redis.Nil):
			continue
		case err != nil:
			select { // Redis is unreachable
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		if popped[0] == looks {
			q.serveLook(ctx, popped[1], &serving)
			continue
		}
		r, err := parseRequest(popped[1])
		if err != nil {
			q.log.Warn("a worker's request is invalid and was dropped; check that it has the same version", "error", err)
			continue
		}
		slots <- struct{}{} // serving is bounded by leaseTimeout
		serving.Go(func() {
			defer func() { <-slots }()
			// A dequeued request is served, also while stopping.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
			defer cancel()
			q.answer(ctx, r)
		})
	}
}

// answer serves one request and sends the answer.
func (q *Queue) answer(ctx context.Context, r request) {
	q.send(ctx, r, q.serve(ctx, r))
}

// send sends the answer to a request that expects one.
func (q *Queue) send(ctx context.Context, r request, a answer) {
	if r.Reply == "" {
		return
	}
	text, err := json.Marshal(a)
	if err == nil {
		err = push(ctx, q.redis, r.Reply, text, answerTTL)
	}
	if err != nil {
		q.log.Warn("answering a worker or another node failed; it retries, or its lease expires", "job", r.ID, "op", r.Op, "error", err)
	}
}

func (q *Queue) serve(ctx context.Context, r request) answer {
	switch r.Op {
	case opStart:
		return q.leaseJob(ctx, r)
	case opRelease:
		if !q.running.leasedAs(r.ID, r.Lease) {
			// The lease has expired or never began: a refund would take back another attempt. The job's present worker,
			// or the sweep, finishes it.
			return answerTo(edgelens.ErrFinished)
		}
		defer q.running.returned(r.ID, r.Lease)
		return answerTo(q.ledger.Release(ctx, r.ID, r.Refund))
	case opFinish:
		if r.Result == nil {
			return answer{Detail: "the request to finish the job has no result"}
		}
		defer q.running.returned(r.ID, r.Lease)
		return answerTo(q.ledger.Finish(ctx, r.ID, r.Result.Result()))
	case opFail:
		if r.Why == nil {
			return answer{Detail: "the request to fail the job has no error"}
		}
		defer q.running.returned(r.ID, r.Lease)
		return answerTo(q.ledger.Fail(ctx, r.ID, edgelens.JobError(*r.Why)))
	}
	return answer{Detail: fmt.Sprintf("unknown operation %q: the worker may have another version", r.Op)}
}

// leaseJob starts a job and puts its image into Redis for the worker.
func (q *Queue) leaseJob(ctx context.Context, r request) answer {
	due := time.Now().Add(q.config.AttemptTimeout + leaseMargin)
	if !q.running.lease(r.ID, jobLease{lease: r.Lease, due: due}) {
		return answerTo(edgelens.ErrFinished)
	}
	job, image, err := q.ledger.Start(ctx, r.ID)
	if err != nil {
		q.running.returned(r.ID, r.Lease)
		return answerTo(err)
	}
	q.running.setQueue(r.ID, dispatchQueue(job))
	key := imageKey()
	if err := q.redis.Set(ctx, key, image, imageTTL).Err(); err != nil {
		q.running.returned(r.ID, r.Lease)
		return answerTo(errors.Join(fmt.Errorf("hand over the image: %w", err), q.ledger.Release(ctx, r.ID, true)))
	}
	a := answerTo(nil)
	a.Job, a.Image = stored.NewJob(job), key
	return a
}

// reclaim enqueues new tasks for jobs whose lease expired. Their old tasks, which Redis holds for active, end with
// edgelens.ErrFinished.
func (q *Queue) reclaim(ctx context.Context) {
	for id, l := range q.running.overdue(time.Now()) {
		if err := q.dispatchAs(ctx, id+"."+l.lease, id, l.queue); err != nil {
			continue // Redis is unreachable; the next tick retries
		}
		q.log.Warn("job lease expired, requeued", "event", "job_lease_expired", "job", id)
		q.running.returned(id, l.lease)
	}
}

// push appends to a list and sets its time to live, in one round trip.
func push(ctx context.Context, client redis.UniversalClient, key string, text []byte, ttl time.Duration) error {
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, key, text)
		p.Expire(ctx, key, ttl)
		return nil
	})
	return err
}
