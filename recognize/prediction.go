package recognize

import (
	"container/list"
	"time"

	"edgelens"
)

// tooLate reports whether work that waits is predicted to be done after due, and the
// predicted wait for a slot. Work that has a slot is given its chance, whatever the
// prediction: so a wrong one is corrected. Work of a model that has not run yet is taken
// to need no time.
func (a *admission) tooLate(t *ticket, due time.Time) (wait time.Duration, late bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.place == nil || t.priority == edgelens.PrioritySynchronous && a.crowded() { // it waits no longer than for the next slot
		return 0, false
	}
	wait = a.wait(t.priority, t.heavy, t.place)
	if a.now().Add(wait + a.expected(t)).Before(due) {
		return wait, false
	}
	a.refused[refusedLate]++
	return wait, true
}

// nextWait predicts how long work of a class would wait if it came now.
func (a *admission) nextWait(class edgelens.Priority) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wait(class, false, nil)
}

// The rest must be called with the lock held.

// done predicts when work that waits is done.
func (a *admission) done(t *ticket) time.Time {
	return a.now().Add(a.wait(t.priority, t.heavy, t.place) + a.expected(t))
}

// wait predicts the wait at a place in the queue of a class, nil for its end: until what
// runs is done, and what is queued before it, in its own class and in the others by
// their shares. Heavy images wait for one another, and the others for one another.
func (a *admission) wait(class edgelens.Priority, heavy bool, place *list.Element) time.Duration {
	var before time.Duration
	for running := range a.running {
		if a.isSlow(running) == heavy {
			before += a.remaining(running)
		}
	}
	ahead := 0
	for e := a.queues[class].Front(); e != nil && e != place; e = e.Next() {
		if t := e.Value.(*ticket); t.heavy == heavy {
			before += a.expected(t)
			ahead++
		}
	}
	// At most share pieces of higher classes before each of its own.
	higher := max(0, share*(ahead+1)-a.passed[class])
	for _, c := range classes[:rank(class)] {
		for e := a.queues[c].Front(); e != nil && higher > 0; e = e.Next() {
			if t := e.Value.(*ticket); t.heavy == heavy {
				before += a.expected(t)
				higher--
				ahead++
			}
		}
	}
	// And one piece of each lower class after share of the others.
	for _, c := range classes[rank(class)+1:] {
		if first := a.queues[c].Front(); first != nil && first.Value.(*ticket).heavy == heavy {
			before += time.Duration(ahead/share) * a.expected(first.Value.(*ticket))
		}
	}
	return before / time.Duration(a.slotsFor(heavy))
}

// slotsFor is how many slots heavy images have, or others.
func (a *admission) slotsFor(heavy bool) int {
	switch {
	case heavy && a.now().Sub(a.latelyLight) < reserved:
		return a.heavySlots()
	case !heavy && a.slow() > 0:
		return max(1, a.slots-a.heavySlots())
	}
	return a.slots
}

// expected is how long work like this holds a slot.
func (a *admission) expected(t *ticket) time.Duration { return a.took[t.workload()] }

// remaining is how long work will still hold its slot. What is overdue is expected to
// be overdue for as long again.
func (a *admission) remaining(t *ticket) time.Duration {
	return (a.expected(t) - a.now().Sub(t.started)).Abs()
}

// learn adds one observation to the moving average, which weighs about the last ten.
func (a *admission) learn(of workload, took time.Duration) {
	if average, known := a.took[of]; known {
		took = average + (took-average)/10
	}
	a.took[of] = took
	if !of.background && !of.heavy {
		if a.typical == 0 {
			a.typical = took
		}
		a.typical += (took - a.typical) / 10
	}
}

func (t *ticket) workload() workload {
	what := workload{t.kind, t.priority == edgelens.PriorityBulk}
	what.heavy = t.heavy || t.slow
	return what
}

// busy is the rejection of work that could not be done in time.
func busy(reason string, retryAfter time.Duration) error {
	return &edgelens.Busy{RetryAfter: retryAfter, Reason: edgelens.ErrBusy.Error() + ": " + reason + "; try again in " + max(retryAfter, time.Second).Round(time.Second).String()}
}
