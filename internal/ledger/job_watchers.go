package ledger

import "sync"

// jobWatchers are the callers that wait for jobs. A waiting goroutine costs one channel for each job, and does not poll.
type jobWatchers struct {
	mu   sync.Mutex
	jobs map[string]*watchedJob
}

// watchedJob is a job with waiting callers; done is closed when it is terminal.
type watchedJob struct {
	done    chan struct{}
	waiting int
}

func newJobWatchers() *jobWatchers { return &jobWatchers{jobs: map[string]*watchedJob{}} }

// watch returns a channel that is closed when the job becomes terminal after this call, and a function that ends the
// watch.
func (w *jobWatchers) watch(id string) (done <-chan struct{}, leave func()) {
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
func (w *jobWatchers) finish(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if job := w.jobs[id]; job != nil {
		close(job.done)
		delete(w.jobs, id)
	}
}
