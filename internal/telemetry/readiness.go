package telemetry

import (
	"cmp"
	"slices"
	"sync"

	"edgelens"
)

// Readiness is the table of readiness conditions: conditions that parts set and clear, and checks that run on every
// request. It is safe for use by many goroutines.
type Readiness struct {
	mu     sync.Mutex
	set    map[string]edgelens.Condition
	checks []func() []edgelens.Condition
}

// NewReadiness returns a Readiness without conditions.
func NewReadiness() *Readiness { return &Readiness{set: map[string]edgelens.Condition{}} }

// Set sets a condition until it is cleared; it replaces one of the same name.
func (r *Readiness) Set(c edgelens.Condition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set[c.Name] = c
}

// Clear clears the condition of that name.
func (r *Readiness) Clear(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.set, name)
}

// AddCheck adds a check that runs whenever the conditions are requested: it must be quick, and safe for use by many
// goroutines.
func (r *Readiness) AddCheck(check func() []edgelens.Condition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks = append(r.checks, check)
}

// NotReady sets the condition of a part that cannot serve.
func (r *Readiness) NotReady(part, reason string) {
	r.Set(edgelens.Condition{Name: part, Severity: edgelens.SeverityUnavailable, Reason: reason})
}

// Ready clears the condition of a part that can serve.
func (r *Readiness) Ready(part string) { r.Clear(part) }

// Conditions returns the present conditions, those that make the service unavailable first, by name.
func (r *Readiness) Conditions() []edgelens.Condition {
	r.mu.Lock()
	var list []edgelens.Condition
	for _, c := range r.set {
		list = append(list, c)
	}
	checks := slices.Clone(r.checks)
	r.mu.Unlock()
	for _, check := range checks {
		list = append(list, check()...)
	}
	slices.SortFunc(list, func(a, b edgelens.Condition) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

// Waiting returns a line for each condition that makes the service unavailable.
func (r *Readiness) Waiting() []string {
	list := []string{}
	for _, c := range r.Conditions() {
		if c.Severity == edgelens.SeverityUnavailable {
			list = append(list, c.Name+": "+c.Reason)
		}
	}
	return list
}
