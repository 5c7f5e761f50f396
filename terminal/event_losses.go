package terminal

import "sync"

// losses counts, for each device, how often the connection was lost with its event in
// transit. It is bounded by the devices that have one. The zero value has none. It is safe
// for use by many goroutines.
type losses struct {
	mu    sync.Mutex
	count map[string]loss
}

type loss struct {
	event string
	times int
}

// note counts a loss and returns the number of losses of the event.
func (l *losses) note(device, event string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = map[string]loss{}
	}
	one := l.count[device]
	if one.event != event {
		one = loss{event: event}
	}
	one.times++
	l.count[device] = one
	return one.times
}

func (l *losses) forget(device string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.count, device)
}
