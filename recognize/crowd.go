package recognize

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"edgelens"
)

const (
	// maxWaiting is how many may wait in order of their arrival, of synchronous requests
	// and of interactive work each.
	maxWaiting = 256
	// minInterval and maxInterval bound the expected time between two free slots, by which
	// a crowd is measured: it is unknown at first.
	minInterval, maxInterval = time.Millisecond, 500 * time.Millisecond
	// windowIntervals is the length of the windows in which arrivals are counted, in such
	// intervals.
	windowIntervals = 2
	// floodFactor times as many requests as can be answered, in each of floodWindows in a
	// row, are a flood. Where minCrowd wait, as many in fewer of them are a crowd, if all who wait can be
	// answered within shortQueue, whatever the order.
	floodFactor, floodWindows, minCrowd = 3, 4, 32
	shortQueue                          = time.Second
	// maxBurst is how many may wait of a flood, as it may be a burst.
	maxBurst = 96
	// A crowd ends where fewer than calmFactor times as many requests as can be answered
	// arrive in calmWindows.
	calmFactor, calmWindows = 1.5, 10
	// fullIntervals is for how many intervals in a row requests are refused because
	// maxWaiting wait until that counts as a flood, too.
	fullIntervals = 10
	// sparedWindows is for how many windows those may go on to wait who came before requests
	// were refused: if it was a burst, nothing else arrives in them.
	sparedWindows = 8
	// readTimeStep and minReadTimeStep are by how much each request that has arrived sooner than usual lowers the usual time for
	// that: by an eighth, and at least so much. One that took longer raises it by a slowShare of that, so that it is the time
	// within which a quarter arrives. lostAfter is after how many times as long one of a crowd counts no more as on its way, at the
	// earliest after that part of an interval, and maxReadAhead times as many as there are slots may be on their way at most.
	readTimeStep, minReadTimeStep                    = 8, 100 * time.Microsecond
	slowShare, lostAfter, lostInterval, maxReadAhead = 3, 2, 4, 4
	// slotIntervals is for how many intervals those wait for a slot who were let through.
	slotIntervals = 3
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

// crowd is the state of a queue of synchronous requests that arrive far faster than they can
// be answered. A queue in order of arrival would have everyone wait for as long as the queue
// is. So the newest is served first. That alone costs no one an answer: if it was a burst,
// it is served in another order. Where as many wait as may, the flood is refused: who finds a
// free slot gets it, and the others are refused at once. Those who are
// answered wait hardly longer than in an idle service, and no slot is idle (controlled delay
// with adaptive order; docs/adr/0038-overload.md). Those who came before go on to wait
// until it is sure that it is no burst.
type crowd struct {
	// on is set while the newest is served first, and began is when that began.
	on    bool
	began time.Time
	// refusing is set while others are refused, and refusingSince is when that began.
	refusing      bool
	refusingSince time.Time

	// window is the begin of the present window, arrivals what has arrived in it, counts the
	// arrivals of those before, and flooded how many of them in a row were floods.
	window   time.Time
	arrivals int
	counts   [calmWindows]int
	flooded  int

	// reads are the requests that were let through and have not arrived since, the first one first, and readTime is how long
	// that usually takes: a moving quartile, which does not depend on those that are slow or never arrive, not even where they are half of all.
	reads    list.List // of time.Time
	readTime time.Duration
	// fullSince is when requests began to be refused because too many wait, without a pause
	// since, and fullLast when the last one was.
	fullSince, fullLast time.Time
	// second and refused are the present second and the refusals in it; before are those in
	// the one before.
	second          time.Time
	refused, before int
	// shedding calls shed.
	shedding alarm
}

// admit returns the refusal of a synchronous request that would arrive now, or else what to call once it was read, or has
// ended. It is for requests whose body was not read yet, and so refuses by prediction only what would
// clearly come too late: the image may be in the cache.
func (a *admission) admit(limit time.Duration) (arrived func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.refusal(limit); err != nil {
		return nil, err
	}
	read := a.crowd.reads.PushBack(a.now())
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.crowd.arrived(a.now(), read)
	}), nil
}

// The rest must be called with the lock held.

// refusal is the error of admit, nil where a request may be read.
func (a *admission) refusal(limit time.Duration) error {
	const class = edgelens.PrioritySynchronous
	switch {
	case a.crowded() && a.crowd.refusing:
		if a.mayRead() {
			return nil
		}
		a.noteArrival()
		return a.noteCrowded()
	case a.hasSlot(class):
		return nil
	case a.isFull(class):
		a.noteArrival()
		return a.noteFull(class)
	}
	if predicted := time.Duration(a.queues[class].Len()) * a.typical / time.Duration(a.slots); !a.crowd.on && predicted > limit+limit/2 {
		a.noteArrival()
		a.refused[refusedLate]++
		return busy("the answer would come too late", predicted)
	}
	return nil
}

// interval is the expected time between two free slots.
func (a *admission) interval() time.Duration {
	return min(max(a.typical/time.Duration(a.slots), minInterval), maxInterval)
}

// windowLength is the length of a window.
func (a *admission) windowLength() time.Duration {
	return windowIntervals * a.interval()
}

// noteArrival counts a synchronous request, also one that is refused.
func (a *admission) noteArrival() {
	c, now, length := &a.crowd, a.now(), a.windowLength()
	for passed := now.Sub(c.window); passed >= length; passed -= length {
		copy(c.counts[1:], c.counts[:calmWindows-1])
		c.counts[0] = c.arrivals
		if c.flooded++; c.arrivals < floodFactor*windowIntervals {
			c.flooded = 0
		}
		if c.arrivals = 0; passed > 2*calmWindows*length { // all of them are empty
			c.counts, c.flooded = [calmWindows]int{}, 0
			break
		}
	}
	if now.Sub(c.window) >= length {
		c.window = now
	}
	c.arrivals++
	waiting := a.queues[edgelens.PrioritySynchronous].Len() + c.onTheWay(now, shortQueue)
	isCrowd := c.flooded >= floodWindows || c.lately() >= floodFactor*windowIntervals*floodWindows && time.Duration(waiting)*a.interval() <= shortQueue
	if !c.on && a.typical > 0 && waiting >= minCrowd && isCrowd {
		c.on, c.began = true, now
	}
	if c.on && c.flooded >= floodWindows && waiting >= maxBurst {
		c.refuse(now)
	}
}

// lately is how many requests arrived in the last floodWindows, the present one included.
func (c *crowd) lately() int {
	n := c.arrivals
	for _, earlier := range c.counts[:floodWindows-1] {
		n += earlier
	}
	return n
}

// refuse begins to refuse requests.
func (c *crowd) refuse(now time.Time) {
	if !c.refusing {
		c.refusing, c.refusingSince = true, now
	}
}

// crowded reports whether the queue of synchronous requests is crowded.
func (a *admission) crowded() bool {
	c := &a.crowd
	if !c.on {
		return false
	}
	arrived, since := c.arrivals, a.now().Sub(c.window)
	for _, n := range c.counts {
		arrived += n
	}
	length := a.windowLength()
	if a.now().Sub(c.began) > calmWindows*length && (since > calmWindows*length || float64(arrived) < calmFactor*windowIntervals*calmWindows) {
		c.on, c.refusing = false, false
	}
	return c.on
}

// mayRead reports whether a request of a crowd may be read: as many as there are free slots, or will be when the next one has
// come and its body has arrived. So none is read in vain, those that are answered hardly wait, and hardly a slot is idle. While those wait
// who came before, one more waits, or else each free slot would be one of theirs.
func (a *admission) mayRead() bool {
	c := &a.crowd
	reading := c.onTheWay(a.now(), max(lostAfter*c.readTime, a.interval()/lostInterval))
	newcomers, untilNext := a.newcomers(), a.windowLength()/time.Duration(max(1, c.counts[0]))
	ahead := c.readTime + untilNext
	allowed := a.freeSlots() + min(a.freeSoon(ahead), 1+int(ahead/a.interval()))
	if a.queues[edgelens.PrioritySynchronous].Len() > newcomers {
		allowed++
	}
	return newcomers+reading < allowed
}

// freeSoon is how many slots are expected to become free within a time. Work that is overdue by as much was predicted wrongly: when it ends
// is unknown.
func (a *admission) freeSoon(within time.Duration) int {
	n := min(int(within/a.interval()), maxReadAhead*a.slots)
	rest := within - time.Duration(n)*a.interval()
	for t := range a.running {
		if left := a.expected(t) - a.now().Sub(t.started); left.Abs() <= rest {
			n++
		}
	}
	return n
}

// onTheWay is how many requests were let through within that time and have not arrived since.
func (c *crowd) onTheWay(now time.Time, within time.Duration) (n int) {
	for e := c.reads.Back(); e != nil && now.Sub(e.Value.(time.Time)) < within; e = e.Prev() {
		n++
	}
	return n
}

// arrived notes that a request that was let through has been read, or has ended.
func (c *crowd) arrived(now time.Time, read *list.Element) {
	step := max(c.readTime/readTimeStep, minReadTimeStep)
	if took := now.Sub(c.reads.Remove(read).(time.Time)); took > c.readTime {
		c.readTime = min(c.readTime+step/slowShare, took)
	} else {
		c.readTime = max(c.readTime-step, took)
	}
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
		if now.Sub(c.fullLast) > fullIntervals*a.interval() {
			c.fullSince = now
		}
		switch full := now.Sub(c.fullSince) >= fullIntervals*a.interval(); {
		case full && !c.on:
			c.on, c.began = true, now
			c.refuse(now)
		case full, c.on && c.flooded >= floodWindows:
			c.refuse(now)
		}
		c.fullLast = now
		c.note(now)
		a.shed()
	}
	return busy(fmt.Sprintf("%d others wait already", maxWaiting), a.wait(class, false, nil))
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
	if passed := now.Sub(c.second); passed >= time.Second {
		if c.before = c.refused; passed >= 2*time.Second {
			c.before = 0
		}
		c.second, c.refused = now, 0
	}
	c.refused++
}

// newcomers is how many wait that came since requests are refused.
func (a *admission) newcomers() int {
	n := 0
	for e := a.queues[edgelens.PrioritySynchronous].Back(); e != nil && !e.Value.(*ticket).since.Before(a.crowd.refusingSince); e = e.Prev() {
		n++
	}
	return n
}

// shed refuses, while others are refused, the oldest newcomers that wait: those beyond the
// number of slots, and those who have waited for several times as long as a slot takes to become free. Once it is
// sure that it is no burst, it refuses those who came before as well.
func (a *admission) shed() {
	if !a.crowded() || !a.crowd.refusing {
		return
	}
	queue, now := a.queues[edgelens.PrioritySynchronous], a.now()
	waiting, spare := a.newcomers(), !a.isNoBurst()
	if spare && queue.Len() > waiting {
		a.shedAfter(a.windowLength())
	}
	var next *list.Element
	for e := queue.Front(); e != nil; e = next {
		next = e.Next()
		t := e.Value.(*ticket)
		isNew := !t.since.Before(a.crowd.refusingSince)
		left := slotIntervals*a.interval() - now.Sub(t.since)
		switch {
		case !isNew && spare:
			continue
		case isNew && left > 0 && waiting <= a.slots:
			a.shedAfter(left)
			return
		case isNew:
			waiting--
		}
		a.unqueue(t)
		a.refuse(t, a.noteCrowded())
	}
}

// isNoBurst reports whether the flood went on since requests are refused.
func (a *admission) isNoBurst() bool {
	c, now, length := &a.crowd, a.now(), a.windowLength()
	goesOn := c.flooded >= floodWindows && now.Sub(c.window) < 2*length
	return goesOn && now.Sub(c.refusingSince) >= sparedWindows*length
}

// shedAfter sheds after a delay, or earlier.
func (a *admission) shedAfter(delay time.Duration) { a.crowd.shedding.within(delay, a, a.shed) }
