package worker

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// gate bounds what is recognized at a time, and says whose turn it is.
//
// Interactive jobs come first: of seven turns while both wait, six are theirs,
// so neither starves. And while there are interactive jobs, bulk ones leave a
// place free: who floods the bulk queue must not make each interactive job wait
// for a recognition to end, nor take the processor from all that is around it.
type gate struct {
	mu    sync.Mutex
	free  int
	size  int
	lines map[bool]*list.List // of *turn, by whether they are interactive
	// given counts the turns of interactive jobs since a bulk one had its own.
	given int
	// lately is when an interactive job last came.
	lately time.Time
	now    func() time.Time
	// look is set while somebody will look at the lines again.
	look *time.Timer
}

// turn is somebody who waits; open is closed when it is their turn.
type turn struct{ open chan struct{} }

const (
	// interactiveTurns is how many turns interactive jobs have for one of bulk.
	interactiveTurns = 6
	// reserved is for how long after an interactive job a place is left free.
	reserved = time.Second
)

func newGate(size int) *gate {
	return &gate{free: size, size: size, lines: map[bool]*list.List{true: list.New(), false: list.New()}, now: time.Now}
}

// enter waits for a turn. The function ends it.
func (g *gate) enter(ctx context.Context, interactive bool) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	mine := &turn{open: make(chan struct{})}
	g.mu.Lock()
	if interactive {
		g.lately = g.now()
	}
	place := g.lines[interactive].PushBack(mine)
	g.serve()
	g.mu.Unlock()
	select {
	case <-mine.open:
		return sync.OnceFunc(g.leave), nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-mine.open: // it came at the same time
		g.free++
		g.serve()
	default:
		g.lines[interactive].Remove(place)
	}
	return nil, ctx.Err()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free++
	g.serve()
}

// serve gives turns to whoever may have one.
func (g *gate) serve() {
	for g.free > 0 {
		interactive, ok := g.next()
		if !ok {
			return
		}
		line := g.lines[interactive]
		first := line.Remove(line.Front()).(*turn)
		g.given++
		if !interactive {
			g.given = 0
		}
		g.free--
		close(first.open)
	}
}

// next says whose turn it is; ok is false where nobody may have one.
func (g *gate) next() (interactive, ok bool) {
	people, bulk := g.lines[true].Len() > 0, g.lines[false].Len() > 0
	if people && !(bulk && g.given >= interactiveTurns) {
		return true, true
	}
	if !bulk {
		return false, false
	}
	if left := reserved - g.now().Sub(g.lately); !people && left > 0 && g.free == 1 && g.size > 1 {
		g.lookAgain(left)
		return false, false
	}
	return false, true
}

// lookAgain serves those in line once the place is no longer left free.
func (g *gate) lookAgain(after time.Duration) {
	if g.look != nil {
		return
	}
	g.look = time.AfterFunc(after, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.look = nil
		g.serve()
	})
}
