package recognize

import (
	"container/list"
	"fmt"
	"maps"
	"sync"
	"time"

	"edgelens"
)

// classes are the priorities in the order in which they are served.
var classes = [...]edgelens.Priority{edgelens.PriorityDevice, edgelens.PrioritySynchronous, edgelens.PriorityInteractive, edgelens.PriorityBulk}

const (
	// share is how many slots higher classes get before one of a lower class that waits:
	// no class starves.
	share = 6
	// reserved is for how long after work of another class bulk work leaves a slot free,
	// and an interpreter.
	reserved = 10 * time.Second
)

// admission is the one place where images wait for an interpreter. It hands out slots,
// one more than there are interpreters, so that the next image is at hand when one is
// free (docs/adr/0017-lanes.md).
//
// The highest class that waits is served first, and first come, first served within
// it. A lower class that waits gets a slot at the latest after share slots of higher ones. And
// while other work arrives, bulk work leaves one slot and one interpreter free: a flooded
// bulk queue must neither make each door event wait for a recognition to end, nor take all of
// the processor. Beyond the slots, one is reserved for devices, so that a door's image is the
// next that an interpreter takes; and while their images arrive, others have one slot less.
//
// How many jobs wait is limited by their source (jobs.concurrency), and how many others do
// here, by maxWaiting and crowd. It is safe for concurrent use.
type admission struct {
	slots int
	now   func() time.Time

	mu      sync.Mutex
	running map[*ticket]bool
	queues  map[edgelens.Priority]*list.List // of *ticket
	// passed counts, for each class that waits, the slots given to higher ones since it
	// last got one.
	passed map[edgelens.Priority]int
	// lately is when work other than bulk last arrived, latelyLight when any did that is not
	// heavy, and latelyDevice when a device's did.
	lately, latelyLight, latelyDevice time.Time
	// took has the moving average of the time that a slot is held, and typical that over all
	// synchronous work.
	took    map[workload]time.Duration
	typical time.Duration
	crowd   crowd
	refused map[string]int // by reason
	// recheck calls serve.
	recheck alarm
	// memory is that for decoding.
	memory memoryBudget
}

// workload is work whose duration is alike.
type workload struct {
	kind
	background bool
}

// kind is what work does: a sweep runs the model on several parts, and takes several times as long,
// and so does a heavy image.
type kind struct {
	model        string
	sweep, heavy bool
}

// ticket is a piece of work that waits for a slot or holds one.
type ticket struct {
	kind
	// bytes is how much memory decoding its image takes.
	bytes int64
	// decided is closed when the ticket has a slot, or is turned away: then refusal is
	// set.
	decided chan struct{}
	refusal error

	// The rest belongs to the admission.
	urgency
	place   *list.Element // in its queue; nil once decided
	started time.Time
	// holds is set while it holds its bytes, taken while passes waited for memory.
	holds  bool
	passes *ticket
	// extra is true while it holds the slot that is reserved for devices.
	extra bool
	// ahead is set where its image is decoded before it has an interpreter, and slow once that
	// took as long as with a heavy image.
	ahead, slow bool
}

// urgency decides when work is done.
type urgency struct {
	priority edgelens.Priority
	// since orders work of one class.
	since time.Time
	// due is when its last caller gives up.
	due time.Time
}

func newAdmission(slots int) *admission {
	a := &admission{
		slots: slots, now: time.Now, running: map[*ticket]bool{}, queues: map[edgelens.Priority]*list.List{},
		passed: map[edgelens.Priority]int{}, took: map[workload]time.Duration{}, refused: map[string]int{},
	}
	for _, class := range classes {
		a.queues[class] = list.New()
	}
	for _, reason := range refusalReasons {
		a.refused[reason] = 0
	}
	return a
}

// enter queues work whose image takes that many bytes to decode. It has a slot, or is turned
// away, once its decided is closed.
func (a *admission) enter(what kind, bytes int64, u urgency) *ticket {
	t := &ticket{kind: what, bytes: bytes, urgency: u, decided: make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	if u.priority == edgelens.PrioritySynchronous {
		a.noteArrival()
	}
	if a.isFull(u.priority) {
		a.refuse(t, a.noteFull(u.priority))
		return t
	}
	a.queue(t)
	a.serve(t)
	a.shed()
	return t
}

// shareable reports whether another caller may wait for work that was entered: not where
// it was turned away, or is done in the background and the caller's is not.
func (a *admission) shareable(t *ticket, priority edgelens.Priority) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.place != nil {
		return true
	}
	return t.refusal == nil && (t.priority != edgelens.PriorityBulk || priority == edgelens.PriorityBulk)
}

// change changes the urgency of work that waits.
func (a *admission) change(t *ticket, u urgency) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.place == nil || t.urgency == u {
		return
	}
	claim := a.passed[t.priority]
	a.unqueue(t)
	if u.priority == t.priority {
		a.passed[t.priority] = claim // it waits all the same
	}
	t.urgency = u
	a.queue(t)
	a.serve(nil)
}

// hadSlot reports whether work was begun.
func (a *admission) hadSlot(t *ticket) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return t.place == nil && t.refusal == nil
}

// withdraw removes work that waits; false once it is decided.
func (a *admission) withdraw(t *ticket) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.place == nil {
		return false
	}
	a.unqueue(t)
	if a.memory.total != nil { // others may have waited for the memory that it was to have
		a.serve(nil)
	}
	return true
}

// stop turns away what waits and would not be done by then: a synchronous request whose
// answer is predicted to come later, and every job, which is done after a restart.
func (a *admission) stop(by time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(classes) - 1; i >= 0; i-- {
		var next *list.Element
		for e := a.queues[classes[i]].Front(); e != nil; e = next {
			next = e.Next()
			t := e.Value.(*ticket)
			if classes[i] == edgelens.PrioritySynchronous && a.done(t).Before(by) {
				continue
			}
			a.unqueue(t)
			a.refused[refusedStopping]++
			a.refuse(t, fmt.Errorf("wait for a slot: %w", edgelens.ErrStopping))
		}
	}
}

// leave frees the slot of admitted work. done is true where the model has run: rejecting an
// image takes another time.
func (a *admission) leave(t *ticket, done bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.running[t] {
		return
	}
	t.slow = t.slow || a.isSlow(t)
	delete(a.running, t)
	a.memory.give(t)
	if took := a.now().Sub(t.started); done || took > a.expected(t) {
		a.learn(t.workload(), took)
	}
	a.serve(nil)
}

// counts returns how many wait in each class, how many hold a slot, and how many were
// refused, by reason.
func (a *admission) counts() (waiting map[edgelens.Priority]int, running int, refused map[string]int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting = map[edgelens.Priority]int{}
	for _, class := range classes {
		waiting[class] = a.queues[class].Len()
	}
	return waiting, len(a.running), maps.Clone(a.refused)
}

// The rest must be called with the lock held.

// queue appends work to the queue of its class, behind what waits for longer.
func (a *admission) queue(t *ticket) {
	if t.priority != edgelens.PriorityBulk {
		a.lately = a.now()
	}
	if !t.heavy {
		a.latelyLight = a.now()
	}
	if t.priority == edgelens.PriorityDevice {
		a.latelyDevice = a.now()
	}
	queue := a.queues[t.priority]
	before := queue.Back()
	for before != nil && before.Value.(*ticket).since.After(t.since) {
		before = before.Prev()
	}
	if before == nil {
		t.place = queue.PushFront(t)
	} else {
		t.place = queue.InsertAfter(t, before)
	}
}

// unqueue is the reverse of queue.
func (a *admission) unqueue(t *ticket) {
	a.queues[t.priority].Remove(t.place)
	t.place = nil
	a.memory.leave(t)
	if a.queues[t.priority].Len() == 0 {
		a.passed[t.priority] = 0
	}
}

// refuse turns work away that is in no queue.
func (a *admission) refuse(t *ticket, err error) {
	t.refusal = err
	close(t.decided)
}

// serve gives the free slots to those who wait; arrived, if not nil, has not waited yet.
func (a *admission) serve(arrived *ticket) {
	defer a.awaitSlow()
	for {
		class, ok := a.next()
		if !ok {
			return
		}
		t := a.first(class)
		if t == nil { // the memory has become less just now
			return
		}
		a.unqueue(t)
		now := a.now()
		if t != arrived && !now.Add(a.expected(t)).Before(t.due) {
			// Its answer would come too late, and those behind it would be late as well.
			a.refused[refusedExpired]++
			a.refuse(t, busy("the wait was longer than predicted, and the answer would come too late", a.wait(class, t.heavy, nil)))
			continue
		}
		t.started, t.extra = now, a.ordinary() >= a.slots
		a.memory.take(t)
		a.running[t] = true
		a.count(class)
		close(t.decided)
	}
}

// first returns the work of a class that gets its next slot; nil where none waits, or there is no memory for it.
func (a *admission) first(class edgelens.Priority) *ticket {
	wait := a.heavyWait()
	newest := class == edgelens.PrioritySynchronous && a.crowded()
	t, passed := a.memory.next(a.queues[class], newest, func(t *ticket) bool { return t.heavy && wait > 0 })
	if passed {
		a.serveAfter(wait)
	}
	return t
}

// ordinary is how many hold a slot other than the one that is reserved for devices. Beyond
// those for heavy images, slow ones do not count.
func (a *admission) ordinary() int {
	n, slow := 0, 0
	for t := range a.running {
		switch {
		case t.extra:
		case a.isSlow(t):
			slow++
		default:
			n++
		}
	}
	if a.now().Sub(a.latelyLight) >= reserved {
		return n + slow
	}
	return n + min(slow, a.heavySlots())
}

// hasSlot reports whether a slot is free for a class.
func (a *admission) hasSlot(class edgelens.Priority) bool {
	if len(a.running) >= MostAtOnce(a.slots) { // most of them are slow
		return false
	}
	return a.ordinary() < a.slotsForClass(class) || class == edgelens.PriorityDevice && !a.extraInUse()
}

// slotsForClass is how many slots there are for a class: each image more that is at work takes a part of the processor from a
// door's.
func (a *admission) slotsForClass(class edgelens.Priority) int {
	if class != edgelens.PriorityDevice && a.now().Sub(a.latelyDevice) < reserved {
		return max(1, a.slots-1)
	}
	return a.slots
}

// freeSlots is how many slots are free for synchronous requests.
func (a *admission) freeSlots() int {
	if !a.hasSlot(edgelens.PrioritySynchronous) {
		return 0
	}
	return a.slotsForClass(edgelens.PrioritySynchronous) - a.ordinary()
}

// extraInUse reports whether a device holds the slot that is reserved for them.
func (a *admission) extraInUse() bool {
	for t := range a.running {
		if t.extra {
			return true
		}
	}
	return false
}

// next returns which class gets the next slot; ok is false where none does.
func (a *admission) next() (class edgelens.Priority, ok bool) {
	first, starved := len(classes), false
	for i, c := range classes {
		if !a.hasSlot(c) {
			continue
		}
		if a.first(c) == nil {
			starved = starved || a.queues[c].Len() > 0
			continue
		}
		if first == len(classes) || a.passed[c] >= share {
			first = i
			if a.passed[c] >= share {
				break
			}
		}
	}
	if first == len(classes) {
		if a.memory.inUse == 0 && starved {
			a.serveAfter(memoryRecheck)
		}
		return 0, false
	}
	class = classes[first]
	if class != edgelens.PriorityBulk || a.mayRunBulk() {
		return class, true
	}
	if left := reserved - a.now().Sub(a.lately); left > 0 {
		a.serveAfter(left)
		return a.nextBut(class)
	}
	return class, true
}

// nextBut returns the highest class that waits, other than one that must not be served now.
func (a *admission) nextBut(not edgelens.Priority) (class edgelens.Priority, ok bool) {
	for _, c := range classes {
		if c != not && a.hasSlot(c) && a.first(c) != nil {
			return c, true
		}
	}
	return 0, false
}

// mayRunBulk reports whether bulk work may have one more slot although other work arrives:
// while that leaves a slot, or gives one of many to the class in turn, and leaves an
// interpreter (there is one less than slots) where there are two.
func (a *admission) mayRunBulk() bool {
	bulk := 0
	for t := range a.running {
		if t.priority == edgelens.PriorityBulk {
			bulk++
		}
	}
	if bulk >= max(1, a.slots-2) {
		return false
	}
	_, others := a.nextBut(edgelens.PriorityBulk)
	return a.slots == 1 || a.slots-len(a.running) > 1 || others
}

// count records that a class got a slot.
func (a *admission) count(class edgelens.Priority) {
	for _, c := range classes {
		if rank(c) > rank(class) && a.queues[c].Len() > 0 {
			a.passed[c]++
		}
	}
	a.passed[class] = 0
}

// serveAfter serves after a delay, or earlier.
func (a *admission) serveAfter(delay time.Duration) {
	a.recheck.within(delay, a, func() { a.serve(nil) })
}

// rank is the place of a priority in classes; lower is served first.
func rank(p edgelens.Priority) int {
	for i, class := range classes {
		if class == p {
			return i
		}
	}
	return len(classes)
}
