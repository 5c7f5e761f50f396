package worker

import (
	"context"
	"sync"
	"time"
)

// attempts are the jobs being worked on: in this process, and, where this node accepted them, leased to others. It is
// safe for use by many goroutines.
type attempts struct {
	mu     sync.Mutex
	ends   map[string]context.CancelCauseFunc
	leased map[string]jobLease
}

// jobLease is a job that is leased to another process.
type jobLease struct {
	// lease names the attempt.
	lease string
	// queue is the job's queue in Redis.
	queue string
	// due is the end of the lease; a process that still holds it then is dead or unreachable.
	due time.Time
}

func newAttempts() *attempts {
	return &attempts{ends: map[string]context.CancelCauseFunc{}, leased: map[string]jobLease{}}
}

// begin records an attempt in this process and returns its context, or false where the job has one under way: Redis can
// lose a task that is being worked on, and its replacement must not run beside it.
func (a *attempts) begin(ctx context.Context, id string) (context.Context, func(), bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.underWay(id) {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	a.ends[id] = cancel
	return ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.ends, id)
		cancel(nil)
	}, true
}

// end cancels this process's attempt at a job, if there is one.
func (a *attempts) end(id string, cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cancel := a.ends[id]; cancel != nil {
		cancel(cause)
	}
}

// lease records an attempt in another process, or returns false where the job has one under way.
func (a *attempts) lease(id string, l jobLease) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.underWay(id) {
		return false
	}
	a.leased[id] = l
	return true
}

// has reports whether the job has an attempt under way, here or elsewhere.
func (a *attempts) has(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.underWay(id)
}

// underWay must be called with the lock held.
func (a *attempts) underWay(id string) bool {
	_, leased := a.leased[id]
	return leased || a.ends[id] != nil
}

// setQueue records the queue of a leased job.
func (a *attempts) setQueue(id, queue string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l, ok := a.leased[id]; ok {
		l.queue = queue
		a.leased[id] = l
	}
}

// leasedAs reports whether the job is leased under that lease.
func (a *attempts) leasedAs(id, lease string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, leased := a.leased[id]
	return leased && l.lease == lease
}

// returned removes the attempt under that lease.
func (a *attempts) returned(id, lease string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l, leased := a.leased[id]; leased && l.lease == lease {
		delete(a.leased, id)
	}
}

// overdue returns the expired leases.
func (a *attempts) overdue(now time.Time) map[string]jobLease {
	a.mu.Lock()
	defer a.mu.Unlock()
	var late map[string]jobLease
	for id, l := range a.leased {
		if now.After(l.due) {
			if late == nil {
				late = map[string]jobLease{}
			}
			late[id] = l
		}
	}
	return late
}
