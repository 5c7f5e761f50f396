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
	online map[string]bool // as published
	due    map[string]bool
}

func newAvailabilities(downlink *downlink, traffic *traffic) *availabilities {
	return &availabilities{downlink: downlink, traffic: traffic, wanted: make(chan struct{}, 1), online: map[string]bool{}, due: map[string]bool{}}
}

// changed queues the presence of devices that differs from what was published.
func (a *availabilities) changed(devices []edgelens.Device) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, device := range devices {
		_, queued := a.due[device.ID] // perhaps another presence, or being published
		if published, known := a.online[device.ID]; queued || !known || published != device.Online {
			a.due[device.ID] = device.Online
		}
	}
	wake(a.wanted)
}

// all queues the presence of all devices.
func (a *availabilities) all(devices []edgelens.Device) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, device := range devices {
		a.due[device.ID] = device.Online
	}
	wake(a.wanted)
}

func (a *availabilities) next() (device string, online, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for device, online := range a.due {
		return device, online, true
	}
	return "", false, false
}

func (a *availabilities) published(device string, online bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.online[device] = online
	if a.due[device] == online {
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
		device, online, ok := a.next()
		if !ok {
			return nil
		}
		payload := statusOffline
		if online {
			payload = statusOnline
		}
		if err := a.downlink.retain(ctx, availabilityTopic(device), payload); err != nil {
			return err
		}
		a.published(device, online)
		a.traffic.count(out, "", kindAvailability)
	}
}
