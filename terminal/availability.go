package terminal

import (
	"context"
	"errors"
	"sync"
	"time"

	"edgelens"
	"edgelens/terminal/session"
)

// availabilityRetry is the wait after a failure to publish.
const availabilityRetry = time.Second

// availabilities publishes the presence of devices: only the latest of each device waits,
// so it is bounded by the number of devices. It is safe for use by many goroutines.
type availabilities struct {
	downlink *downlink
	traffic  *traffic
	// wanted holds a token where presence is to be published.
	wanted chan struct{}

	mu     sync.Mutex
	online map[string]presenceState // as published
	due    map[string]presenceState
	// publishing is the device whose presence is being published; empty for none.
	publishing string
}

// presenceState is what is published about the presence of a device.
type presenceState string

// removed removes what is published: the broker forgets a retained message for an empty one.
const removed presenceState = ""

// stateOf is the presence of a device.
func stateOf(device edgelens.Device) presenceState {
	if device.Online {
		return statusOnline
	}
	return statusOffline
}

func newAvailabilities(downlink *downlink, traffic *traffic) *availabilities {
	return &availabilities{downlink: downlink, traffic: traffic, wanted: make(chan struct{}, 1), online: map[string]presenceState{}, due: map[string]presenceState{}}
}

// changed queues the presence of devices that differs from what was published.
func (a *availabilities) changed(devices []edgelens.Device) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, device := range devices {
		_, queued := a.due[device.ID] // perhaps another presence, or being published
		if published, known := a.online[device.ID]; queued || !known || published != stateOf(device) {
			a.due[device.ID] = stateOf(device)
		}
	}
	wake(a.wanted)
}

// all queues the presence of all devices.
func (a *availabilities) all(devices []edgelens.Device) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, device := range devices {
		a.due[device.ID] = stateOf(device)
	}
	wake(a.wanted)
}

// remove queues the removal of what is published of devices.
func (a *availabilities) remove(devices []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, device := range devices {
		if _, known := a.online[device]; !known && device != a.publishing {
			delete(a.due, device) // nothing was published
			continue
		}
		delete(a.online, device)
		a.due[device] = removed
	}
	wake(a.wanted)
}

func (a *availabilities) next() (device string, state presenceState, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.publishing = ""
	for device, state := range a.due {
		a.publishing = device
		return device, state, true
	}
	return "", "", false
}

func (a *availabilities) published(device string, state presenceState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.publishing = ""
	if a.online[device] = state; state == removed {
		delete(a.online, device)
	}
	if a.due[device] == state {
		delete(a.due, device)
	}
}

// run publishes the presence of devices whenever it changes, until ctx ends. Without a
// connection it waits for a call of all.
func (a *availabilities) run(ctx context.Context) {
	var again <-chan time.Time
	for {
		select {
		case <-a.wanted:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		if err := a.publish(ctx); err != nil && !errors.Is(err, session.ErrOffline) {
			again = time.After(availabilityRetry)
		}
	}
}

// publish publishes what is queued.
func (a *availabilities) publish(ctx context.Context) error {
	for {
		device, state, ok := a.next()
		if !ok {
			return nil
		}
		if err := a.downlink.retain(ctx, availabilityTopic(device), string(state)); err != nil {
			return err
		}
		a.published(device, state)
		a.traffic.count(out, "", kindAvailability)
	}
}
