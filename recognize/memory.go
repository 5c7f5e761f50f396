package recognize

import (
	"container/list"
	"time"
)

// memoryBudget shares the memory for decoding among recognitions. What an image takes is
// known from its header; it is taken before the image is decoded, and given back after that.
//
// Small images pass a large one that waits, but do not delay it: they take what it leaves
// over. So it gets its memory once those that were decoded when it came are done.
//
// Heavy images leave room for some ordinary ones, which have it even where there is less memory
// than when the heavy ones began, for example because uploads have it: they wait for no heavy image.
//
// It belongs to an admission, whose lock guards it. The zero value has no bound.
type memoryBudget struct {
	// total returns how many bytes there are at the moment, those in use included; nil for
	// no bound. It gets what would have been in use with the largest image for which there was not enough since it
	// was last asked; 0 where there was for all.
	total func(inUse, wanted int64) int64

	inUse, wanted int64
	// light is the part of inUse that images have which are not heavy.
	light int64
	// first is the ticket that waits for memory and comes next, and passing how many of the
	// bytes in use were taken since it waits.
	first   *ticket
	passing int64
}

// memoryRecheck is how long work waits that does not fit although nothing is decoded: other
// processes have the memory.
const memoryRecheck = 100 * time.Millisecond

// lightRoom is how much of the memory heavy images leave to others, in bytes: enough for five of 720p.
func lightRoom(total int64) int64 { return min(16<<20, total/8) }

// need is how much memory a ticket needs, with what it leaves to others.
func need(t *ticket, total int64) int64 {
	if t.heavy {
		return t.bytes + lightRoom(total)
	}
	return t.bytes
}

// inUseWith is how much would be in use with a ticket, and with what it leaves to others, of which they may have some already.
func (b *memoryBudget) inUseWith(t *ticket, total int64) int64 {
	inUse := b.inUse + need(t, total)
	if t.heavy {
		inUse -= min(b.light, lightRoom(total))
	}
	return inUse
}

// fits reports whether there is memory for a ticket now.
func (b *memoryBudget) fits(t *ticket, total int64) bool {
	if b.hasRoomBesideHeavy(t, total) {
		return true
	}
	if b.inUseWith(t, total) > total {
		return false
	}
	return b.first == nil || b.first == t || need(b.first, total) > total || b.passing+t.bytes+need(b.first, total) <= total
}

// hasRoomBesideHeavy reports whether a ticket fits into what heavy images leave, which they have or wait for.
func (b *memoryBudget) hasRoomBesideHeavy(t *ticket, total int64) bool {
	beside := b.inUse > b.light || b.first != nil && b.first.heavy
	return !t.heavy && beside && b.inUse-b.light <= total && b.light+t.bytes <= lightRoom(total)
}

// next returns the first ticket of a queue for which there is memory, or the newest; nil if there is none.
// The first for which there is none has the next memory that others give back. Those that pass
// reports are left out, and passed is set where there were any.
func (b *memoryBudget) next(queue *list.List, newest bool, pass func(*ticket) bool) (first *ticket, passed bool) {
	begin, step := queue.Front(), (*list.Element).Next
	if newest {
		begin, step = queue.Back(), (*list.Element).Prev
	}
	var total int64
	if b.total != nil && begin != nil {
		total = b.ask()
	}
	for e := begin; e != nil; e = step(e) {
		t := e.Value.(*ticket)
		if pass(t) {
			passed = true
			continue
		}
		if b.total == nil || b.fits(t, total) {
			return t, passed
		}
		b.wanted = max(b.wanted, b.inUseWith(t, total))
		if b.first == nil && need(t, total) <= total {
			b.first, b.passing = t, 0
		}
	}
	return nil, passed
}

// ask calls total.
func (b *memoryBudget) ask() int64 {
	wanted := b.wanted
	b.wanted = 0
	return b.total(b.inUse, wanted)
}

// take takes a ticket's memory.
func (b *memoryBudget) take(t *ticket) {
	b.leave(t)
	b.inUse += t.bytes
	if !t.heavy {
		b.light += t.bytes
	}
	t.holds = true
	if t.passes = b.first; t.passes != nil {
		b.passing += t.bytes
	}
}

// give gives a ticket's memory back; false if it holds none.
func (b *memoryBudget) give(t *ticket) bool {
	if !t.holds {
		return false
	}
	t.holds = false
	b.inUse -= t.bytes
	if !t.heavy {
		b.light -= t.bytes
	}
	if b.first != nil && t.passes == b.first {
		b.passing -= t.bytes
	}
	t.passes = nil
	return true
}

// leave is about a ticket that does not wait any more.
func (b *memoryBudget) leave(t *ticket) {
	if b.first == t {
		b.first, b.passing = nil, 0
	}
}

// decoded gives back the memory of a ticket whose image has been decoded.
func (a *admission) decoded(t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.slow = a.isSlow(t)
	if a.memory.give(t) && a.waits() {
		a.serve(nil)
	}
}

// waits reports whether any work waits. It must be called with the lock held.
func (a *admission) waits() bool {
	for _, queue := range a.queues {
		if queue.Len() > 0 {
			return true
		}
	}
	return false
}

// memoryUse returns how many bytes decoding takes at the moment, and how many it may take;
// limited is false where it may take any.
func (a *admission) memoryUse() (inUse, total int64, limited bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.memory.total == nil {
		return a.memory.inUse, 0, false
	}
	return a.memory.inUse, a.memory.ask(), true
}
