package terminal

import (
	"context"
	"sync"
)

// lines hold what devices sent until it can be taken: one line for each device,
// so that none waits behind another's, served in turn and each by one at a time,
// so that order is kept. They are bounded for each device and altogether.
type lines struct {
	mu    sync.Mutex
	lines map[string]*line
	// turn are the lines that have something and that nobody is at.
	turn []*line
	// more holds a token for each line in turn, as far as there is room: a
	// worker that finds no token looks again.
	more chan struct{}
	// room holds a token once something was released.
	room  chan struct{}
	bytes int64
	items int

	maxItems int
	maxBytes int64
}

type line struct {
	name  string
	items []item
	taken bool
}

func newDeviceQueues(maxItems int, maxBytes int64) *lines {
	return &lines{lines: map[string]*line{}, more: make(chan struct{}, 1), room: make(chan struct{}, 1), maxItems: maxItems, maxBytes: maxBytes}
}

// push puts an item behind those of its line, and reports whether there was
// room: for as many items in the line as may be, and as many bytes altogether.
func (l *lines) push(name string, one item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if of := l.lines[name]; of != nil && len(of.items) >= l.maxItems || l.bytes+one.size() > l.maxBytes {
		return false
	}
	l.put(name, one)
	return true
}

// pushBlocking is push for an item that must not be dropped: it waits until
// the bytes have room, or done is closed. There always is room for one item.
func (l *lines) pushBlocking(done <-chan struct{}, name string, one item) {
	for {
		l.mu.Lock()
		if l.items == 0 || l.bytes+one.size() <= l.maxBytes {
			l.put(name, one)
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		select {
		case <-l.room:
		case <-done:
			return
		}
	}
}

func (l *lines) put(name string, one item) {
	of := l.lines[name]
	if of == nil {
		of = &line{name: name}
		l.lines[name] = of
	}
	of.items = append(of.items, one)
	l.items++
	l.bytes += one.size()
	if len(of.items) == 1 && !of.taken {
		l.turn = append(l.turn, of)
		wake(l.more)
	}
}

// take waits for the next item. The line that it is of is the caller's until
// release. ok is false once ctx has ended and nothing is left.
func (l *lines) take(ctx context.Context) (of *line, one item, ok bool) {
	for {
		if of, one, ok = l.next(); ok {
			return of, one, true
		}
		select {
		case <-l.more:
		case <-ctx.Done():
			return l.next()
		}
	}
}

func (l *lines) next() (*line, item, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.turn) == 0 {
		return nil, item{}, false
	}
	of := l.turn[0]
	l.turn[0] = nil
	l.turn = l.turn[1:]
	if len(l.turn) > 0 {
		wake(l.more)
	}
	of.taken = true
	one := of.items[0]
	of.items[0] = item{} // lets go of its payload
	of.items = of.items[1:]
	return of, one, true
}

// release gives a line back, whose item is done with.
func (l *lines) release(of *line, one item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items--
	l.bytes -= one.size()
	of.taken = false
	wake(l.room)
	if len(of.items) == 0 {
		delete(l.lines, of.name)
		return
	}
	l.turn = append(l.turn, of)
	wake(l.more)
}

// waiting is how many items are there, those that are worked on included.
func (l *lines) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.items
}
