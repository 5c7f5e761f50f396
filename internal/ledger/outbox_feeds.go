package ledger

import (
	"slices"
	"sync"
)

// feeds are the dispatchers' subscriptions to the outbox. Each holds the names of the devices with new rows, so it is
// bounded by the number of devices.
type feeds struct {
	mu     sync.Mutex
	closed bool
	feeds  map[*feed]struct{}
}

type feed struct {
	wake    chan struct{}
	devices map[string]struct{}
}

func newFeeds() *feeds { return &feeds{feeds: map[*feed]struct{}{}} }

func (f *feeds) watch() (wake <-chan struct{}, devices func() []string, cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := &feed{wake: make(chan struct{}, 1), devices: map[string]struct{}{}}
	if f.closed {
		close(one.wake)
	} else {
		f.feeds[one] = struct{}{}
	}
	return one.wake, func() []string {
			f.mu.Lock()
			defer f.mu.Unlock()
			names := make([]string, 0, len(one.devices))
			for name := range one.devices {
				names = append(names, name)
			}
			clear(one.devices)
			slices.Sort(names)
			return names
		}, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.feeds, one)
		}
}

// ready notifies every subscription of these devices.
func (f *feeds) ready(devices []string) {
	if len(devices) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for one := range f.feeds {
		for _, device := range devices {
			one.devices[device] = struct{}{}
		}
		select {
		case one.wake <- struct{}{}:
		default:
		}
	}
}

func (f *feeds) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for one := range f.feeds {
		close(one.wake)
		delete(f.feeds, one)
	}
}
