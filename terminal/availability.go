package terminal

import (
	"context"
	"errors"
	"sync"
	"time"

	"edgelens"
	"edgelens/terminal/session"
)

// availabilities holds the presence of devices that is to be published: only the latest
// of each device, so it is bounded by the number of devices.
type availabilities struct {
	mu     sync.Mutex
	online map[string]bool
	due    map[string]bool
}

func newAvailabilities() *availabilities {
	return &availabilities{online: map[string]bool{}, due: map[string]bool{}}
}

// changed notes the devices whose presence differs from what was published.
func (a *availabilities) changed(devices []edgelens.Device) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, device := range devices {
		if published, known := a.online[device.ID]; !known || published != device.Online {
			a.due[device.ID] = device.Online
		}
	}
}

// all queues the presence of all devices for publication.
func (a *availabilities) all(devices []edgelens.Device) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, device := range devices {
		a.due[device.ID] = device.Online
	}
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

const availabilityRetry = time.Second

// publishAvailability publishes the presence of devices whenever it changes. Without a
// connection it waits for onDownlinkUp.
func (b *Bridge) publishAvailability(ctx context.Context) {
	var again <-chan time.Time
	for {
		select {
		case <-b.availabilityDue:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		if err := b.publishAllAvailability(ctx); err != nil && !errors.Is(err, session.ErrOffline) {
			again = time.After(availabilityRetry)
		}
	}
}

func (b *Bridge) publishAllAvailability(ctx context.Context) error {
	for {
		device, online, ok := b.availability.next()
		if !ok {
			return nil
		}
		payload := statusOffline
		if online {
			payload = statusOnline
		}
		if err := b.downlink.retain(ctx, availabilityTopic(device), payload); err != nil {
			return err
		}
		b.availability.published(device, online)
		b.traffic.count(out, "", kindAvailability)
	}
}
