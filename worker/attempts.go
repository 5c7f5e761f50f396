package worker

import (
	"context"
	"sync"
)

// attempts are the jobs being worked on in this process.
type attempts struct {
	mu   sync.Mutex
	ends map[string]context.CancelCauseFunc
}

// begin notes an attempt and returns its context, or false where one at the
// same job is under way: Redis can lose a task that is being worked on, and its
// replacement must not run beside it.
func (a *attempts) begin(ctx context.Context, id string) (context.Context, func(), bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ends[id] != nil {
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

// end cancels the attempt at a job, if there is one.
func (a *attempts) end(id string, cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cancel := a.ends[id]; cancel != nil {
		cancel(cause)
	}
}
