package worker

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// admission bounds what is recognized at a time, and orders it by priority.
//
// Interactive jobs come first: while jobs of both kinds wait, they get six slots of seven, so that neither kind
// starves. And while there are interactive jobs, one slot is reserved for them: a flooded bulk queue must neither
// make each interactive job wait for a recognition to end, nor take all of the processor.
type admission struct {
	mu     sync.Mutex
	free   int
	size   int
	queues map[bool]*list.List // of *waiter, by whether they are interactive
	// given counts the slots given to interactive jobs since a bulk one got one.
	given int
	// lately is when an interactive job last arrived.
	lately time.Time
	now    func() time.Time
	// recheck is set while serve is scheduled.
	recheck *time.Timer
}

// waiter waits for a slot; admitted is closed when it has one.
type waiter struct{ admitted chan struct{} }

const (
	// interactiveShare is how many slots interactive jobs get for one of bulk.
	interactiveShare = 6
	// reserved is for how long after an interactive job a slot is reserved.
	reserved = time.Second
)

func newAdmission(size int) *admission {
	return &admission{free: size, size: size, queues: map[bool]*list.List{true: list.New(), false: list.New()}, now: time.Now}
}

// enter waits for a slot. The function frees it.
func (a *admission) enter(ctx context.Context, interactive bool) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &waiter{admitted: make(chan struct{})}
	a.mu.Lock()
	if interactive {
		a.lately = a.now()
	}
	position := a.queues[interactive].PushBack(w)
	a.serve()
	a.mu.Unlock()
	select {
	case <-w.admitted:
		return sync.OnceFunc(a.leave), nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-w.admitted: // at the same time
		a.free++
		a.serve()
	default:
		a.queues[interactive].Remove(position)
	}
	return nil, ctx.Err()
}

func (a *admission) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.free++
	a.serve()
}

// serve gives the free slots to waiters.
func (a *admission) serve() {
	for a.free > 0 {
		interactive, ok := a.next()
		if !ok {
			return
		}
		queue := a.queues[interactive]
		first := queue.Remove(queue.Front()).(*waiter)
		a.given++
		if !interactive {
			a.given = 0
		}
		a.free--
		close(first.admitted)
	}
}

// next returns which queue gets the next slot; ok is false where neither does.
func (a *admission) next() (interactive, ok bool) {
	waiting, bulk := a.queues[true].Len() > 0, a.queues[false].Len() > 0
	if waiting && !(bulk && a.given >= interactiveShare) {
		return true, true
	}
	if !bulk {
		return false, false
	}
	if left := reserved - a.now().Sub(a.lately); !waiting && left > 0 && a.free == 1 && a.size > 1 {
		a.serveAfter(left)
		return false, false
	}
	return false, true
}

// serveAfter serves the waiters once the slot is no longer reserved.
func (a *admission) serveAfter(delay time.Duration) {
	if a.recheck != nil {
		return
	}
	a.recheck = time.AfterFunc(delay, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.recheck = nil
		a.serve()
	})
}
