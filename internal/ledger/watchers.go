package ledger

import "sync"

// watchers are the callers that wait for jobs and events. A waiting goroutine costs one channel for each job, and does
// not poll.
type watchers struct {
	mu          sync.Mutex
	closed      bool
	jobs        map[string]*watchedJob
	subscribers map[chan struct{}]struct{}
}

// watchedJob is a job with waiting callers; done is closed when it is terminal.
type watchedJob struct {
	done    chan struct{}
	waiting int
}

func newWatchers() *watchers {
	return &watchers{jobs: map[string]*watchedJob{}, subscribers: map[chan struct{}]struct{}{}}
}

// watch returns a channel that is closed when the job becomes terminal after this call, and a function that ends the
// watch.
func (w *watchers) watch(id string) (done <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	job := w.jobs[id]
	if job == nil {
		job = &watchedJob{done: make(chan struct{})}
		w.jobs[id] = job
	}
	job.waiting++
	return job.done, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if job.waiting--; job.waiting == 0 && w.jobs[id] == job {
			delete(w.jobs, id)
		}
	}
}

// finish wakes the callers that wait for the job.
func (w *watchers) finish(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if job := w.jobs[id]; job != nil {
		close(job.done)
		delete(w.jobs, id)
	}
}

// subscribe returns a channel that holds a token whenever there are new events since the last token was taken; close
// closes it.
func (w *watchers) subscribe() (wake <-chan struct{}, cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{}, 1)
	if w.closed {
		close(c)
		return c, func() {}
	}
	w.subscribers[c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subscribers, c)
	}
}

// wake puts a token into every subscriber's channel that has none.
func (w *watchers) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.subscribers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (w *watchers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for c := range w.subscribers {
		close(c)
		delete(w.subscribers, c)
	}
}
