package telemetry

import (
	"sort"
	"sync"
)

// Readiness collects what the service still waits for. It is safe for use by
// many goroutines.
type Readiness struct {
	mu      sync.Mutex
	waiting map[string]string
}

// NewReadiness returns a Readiness that waits for nothing.
func NewReadiness() *Readiness { return &Readiness{waiting: map[string]string{}} }

// NotReady says why a part cannot serve yet, or any more.
func (r *Readiness) NotReady(part, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[part] = reason
}

// Ready says that a part can serve.
func (r *Readiness) Ready(part string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, part)
}

// Waiting returns a sentence for each part that cannot serve, in order; none
// means that the service is ready.
func (r *Readiness) Waiting() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]string, 0, len(r.waiting))
	for part, reason := range r.waiting {
		list = append(list, part+": "+reason)
	}
	sort.Strings(list)
	return list
}
