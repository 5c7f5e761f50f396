package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/stored"
)

// maxLooks is how many questions of other nodes may wait for the ends of their jobs at a time; further ones are answered
// at once, and repeated.
const maxLooks = 256

// Job returns a job of this node, or of another one with the same Redis. The error wraps edgelens.ErrNotFound, or
// ErrStopping where that node does not answer.
func (q *Queue) Job(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := q.ledger.Job(ctx, id)
	if q.others == nil || !errors.Is(err, edgelens.ErrNotFound) {
		return job, err
	}
	return q.others.job(ctx, id)
}

// Wait is Job once the job is terminal, or when ctx ends.
func (q *Queue) Wait(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := q.ledger.Wait(ctx, id)
	if q.others == nil || !errors.Is(err, edgelens.ErrNotFound) {
		return job, err
	}
	return q.others.wait(ctx, id)
}

// Cancel moves a job of this node, or of another one with the same Redis, to its terminal state canceled, and ends the
// attempt under way. The error wraps edgelens.ErrFinished or is the ledger's, or that of Job.
func (q *Queue) Cancel(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := q.cancelOwn(ctx, id)
	if q.others == nil || !errors.Is(err, edgelens.ErrNotFound) {
		return job, err
	}
	return q.others.cancel(ctx, id)
}

func (q *Queue) cancelOwn(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := q.ledger.Cancel(ctx, id)
	if err == nil {
		q.running.end(id, edgelens.ErrCanceled)
	}
	return job, err
}

// serveLook answers another node's question, in the background where it may wait.
func (q *Queue) serveLook(ctx context.Context, text string, serving *sync.WaitGroup) {
	r, err := parseRequest(text)
	if err != nil {
		q.log.Warn("another node's question is invalid and was dropped; check that it has the same version", "error", err)
		return
	}
	serve := func() {
		a := q.look(ctx, r)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
		defer cancel()
		q.send(ctx, r, a)
	}
	select {
	case q.looks <- struct{}{}:
		serving.Go(func() {
			defer func() { <-q.looks }()
			serve()
		})
	default:
		r.WaitMS = 0
		serve()
	}
}

// look serves another node's question. A dequeued one is served, also while stopping, but does not wait then.
func (q *Queue) look(ctx context.Context, r request) answer {
	var job edgelens.Job
	var err error
	switch r.Op {
	case opLook:
		waiting, cancel := context.WithTimeout(ctx, min(time.Duration(r.WaitMS)*time.Millisecond, lookWait))
		defer cancel()
		job, err = q.ledger.Wait(waiting, r.ID)
	case opCancel:
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
		defer cancel()
		job, err = q.cancelOwn(limited, r.ID)
	default:
		err = fmt.Errorf("unknown operation %q: the asking node may have another version", r.Op)
	}
	a := answerTo(err)
	a.Lease = r.Lease
	if err == nil {
		a.Job, a.Owner, a.Held = stored.NewJob(job), job.Owner, job.Held
	}
	return a
}
