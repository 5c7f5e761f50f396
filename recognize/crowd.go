package recognize

import (
	"fmt"
	"time"

	"edgelens"
)

const (
	// maxWaiting is how many may wait in order of their arrival, of synchronous requests
	// and of interactive work each.
	maxWaiting = 256
	// calm is how long a queue counts as crowded after its last refusal.
	calm = time.Second
	// intervals is how many times the expected interval between two free slots requests are
	// refused in a row until the queue counts as crowded.
	intervals = 10
	// minInterval and maxInterval bound that interval, which is unknown at first.
	minInterval, maxInterval = time.Millisecond, 500 * time.Millisecond
	// maxRetryAfter bounds the wait until a retry that is demanded of a crowd.
	maxRetryAfter = 30 * time.Second
)

// The reasons of refusals, in metrics.
const (
	refusedLate     = "late"
	refusedFull     = "full"
	refusedCrowded  = "crowded"
	refusedExpired  = "expired"
	refusedStopping = "stopping"
)

var refusalReasons = []string{refusedLate, refusedFull, refusedCrowded, refusedExpired, refusedStopping}

// crowd is the state of a queue of synchronous requests that arrive faster than they can be
// answered. A queue in order of arrival would have everyone wait for as long as the queue
// is; so once it has been full for some time, the newest is served first, as many wait as
// there are slots, each until the next one is free, and the others are refused at once:
// those who are answered wait no longer than in an idle service, and no slot is idle
// (controlled delay with adaptive order, as in CoDel; docs/adr/0038-overload.md).
type crowd struct {
	on bool
	// since is when requests began to be refused, without a pause since, and last when the
	// last one was.
	since, last time.Time
	// second and refused are the present second and the refusals in it; before are those in
	// the one before.
	second          time.Time
	refused, before int
	// shedding is set while shed is scheduled.
	shedding *time.Timer
}

// refusal returns the refusal of a synchronous request that would arrive now, or nil. It
// is for requests whose body was not read yet, and so refuses by prediction only what would
// clearly come too late: the image may be in the cache.
func (a *admission) refusal(limit time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	const class = edgelens.PrioritySynchronous
	if a.hasSlot(class) {
		return nil
	}
	waiting := a.queues[class].Len()
	switch {
	case a.crowded() && waiting >= a.slots:
		return a.noteCrowded()
	case a.isFull(class):
		return a.noteFull(class)
	}
	if predicted := time.Duration(waiting) * a.typical / time.Duration(a.slots); predicted > limit+limit/2 {
		a.refused[refusedLate]++
		return busy("the answer would come too late", predicted)
	}
	return nil
}

// The rest must be called with the lock held.

// interval is the expected time between two free slots.
func (a *admission) interval() time.Duration {
	return min(max(a.typical/time.Duration(a.slots), minInterval), maxInterval)
}

// crowded reports whether the queue of synchronous requests is crowded.
func (a *admission) crowded() bool {
	if a.crowd.on && a.now().Sub(a.crowd.last) > calm {
		a.crowd.on = false
	}
	return a.crowd.on
}

// isFull reports whether no more may wait in a class. Jobs of the others are limited by
// their source.
func (a *admission) isFull(class edgelens.Priority) bool {
	return (class == edgelens.PrioritySynchronous || class == edgelens.PriorityInteractive) && a.queues[class].Len() >= maxWaiting
}

// noteFull returns the refusal of work where maxWaiting wait already.
func (a *admission) noteFull(class edgelens.Priority) error {
	a.refused[refusedFull]++
	if class == edgelens.PrioritySynchronous {
		c, now := &a.crowd, a.now()
		switch {
		case now.Sub(c.last) > intervals*a.interval():
			c.since = now
		case now.Sub(c.since) >= intervals*a.interval():
			c.on = true
		}
		c.note(now)
		a.shed()
	}
	return busy(fmt.Sprintf("%d others wait already", maxWaiting), a.wait(class, nil))
}

// noteCrowded returns the refusal of a synchronous request because of the crowd. The wait
// until a retry is what it would take to answer all that are refused.
func (a *admission) noteCrowded() error {
	a.refused[refusedCrowded]++
	a.crowd.note(a.now())
	return busy("far more requests arrive than can be answered", min(time.Duration(max(a.crowd.refused, a.crowd.before))*a.interval(), maxRetryAfter))
}

// note counts a refusal.
func (c *crowd) note(now time.Time) {
	c.last = now
	if passed := now.Sub(c.second); passed >= time.Second {
		if c.before = c.refused; passed >= 2*time.Second {
			c.before = 0
		}
		c.second, c.refused = now, 0
	}
	c.refused++
}

// shed refuses the oldest of a crowded queue: those beyond the number of slots, and those
// who have waited for as long as a slot takes to become free.
func (a *admission) shed() {
	if !a.crowded() {
		return
	}
	queue := a.queues[edgelens.PrioritySynchronous]
	for e := queue.Front(); e != nil; e = queue.Front() {
		t := e.Value.(*ticket)
		left := a.interval() - a.now().Sub(t.since)
		if left > 0 && queue.Len() <= a.slots {
			a.shedAfter(left)
			return
		}
		a.unqueue(t)
		a.refuse(t, a.noteCrowded())
	}
}

// shedAfter sheds once the oldest has waited for too long.
func (a *admission) shedAfter(delay time.Duration) {
	if a.crowd.shedding != nil {
		return
	}
	a.crowd.shedding = time.AfterFunc(delay, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.crowd.shedding = nil
		a.shed()
	})
}
