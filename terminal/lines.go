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
	more  chan struct{}
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

func newLines(maxItems int, maxBytes int64) *lines {
	return &lines{lines: map[string]*line{}, more: make(chan struct{}, 1), maxItems: maxItems, maxBytes: maxBytes}
}

// push puts an item behind those of its line, and reports whether there was
// room. For an item that must be taken there always is: the broker bounds how
// many of those there are.
func (l *lines) push(name string, one item, must bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.lines[name]
	if !must && (of != nil && len(of.items) >= l.maxItems || l.bytes+one.size() > l.maxBytes) {
		return false
	}
	if of == nil {
		of = &line{name: name}
		l.lines[name] = of
	}
	of.items = append(of.items, one)
	l.items++
	l.bytes += one.size()
	if len(of.items) == 1 && !of.taken {
		l.turn = append(l.turn, of)
		l.signal()
	}
	return true
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
		l.signal()
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
	if len(of.items) == 0 {
		delete(l.lines, of.name)
		return
	}
	l.turn = append(l.turn, of)
	l.signal()
}

func (l *lines) signal() {
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// waiting is how many items are there, those that are worked on included.
func (l *lines) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.items
}
