package terminal

import (
	"fmt"
	"time"

	"edgelens"
)

// proof is what a message proves about the presence of its device.
type proof int

const (
	provesNothing proof = iota
	provesOnline
	provesOffline
)

// String returns what it proves, for a log.
func (p proof) String() string { return [...]string{"nothing", "online", "offline"}[p] }

// noteSeen records a message of a device, and returns the state of the device; lasting is true for a message that makes
// the device lasting. A serial number belongs to the dialect that used it first. The error is for a log.
func (r *registry) noteSeen(of, device string, now time.Time, proves proof, lasting bool, count func(*edgelens.DeviceCounters)) (edgelens.DeviceState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	if k == nil {
		if len(r.devices) >= r.maxDevices && !r.giveWay() {
			return edgelens.DeviceRefused, fmt.Errorf("%d devices are known, which is the maximum (terminal.max_devices)", r.maxDevices)
		}
		k = &known{Device: edgelens.Device{ID: device, Dialect: of, State: r.unknown, FirstSeen: now}, lastAlive: now}
		k.passing = r.passing.PushBack(k)
		r.devices[device] = k
		r.touch(k, true)
	}
	if k.Dialect != of {
		return edgelens.DeviceRefused, fmt.Errorf("the device has used the dialect %s before, and a serial number belongs to the dialect that used it first", k.Dialect)
	}
	k.LastSeen = now
	switch {
	case lasting && k.State != edgelens.DeviceRefused: // who is refused can make up anything
		r.last(k)
	case k.passing != nil:
		r.passing.MoveToBack(k.passing)
	}
	if proves != provesNothing {
		r.setOnline(k, proves == provesOnline, now)
	}
	if proves == provesOnline {
		k.lastAlive = now
	}
	count(&k.Counters)
	r.touch(k, false)
	return k.State, nil
}

// expire sets devices offline that have been silent for too long.
func (r *registry) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.devices {
		if after := r.policy[k.Dialect].OfflineAfter; k.Online && after > 0 && now.Sub(k.lastAlive) > after {
			r.setOnline(k, false, now)
		}
	}
}

func (r *registry) setOnline(k *known, online bool, now time.Time) {
	if k.Online != online {
		if !online {
			r.clocks.offline(k.ID, now)
		}
		k.Online = online
		r.touch(k, true)
	}
}

// silent reports whether a device is known to be offline.
func (r *registry) silent(device string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	return k != nil && !k.Online && r.policy[k.Dialect].OfflineAfter > 0
}

// seenSince reports whether a device gave a sign of life after that time, nil being never;
// true for an unknown device.
func (r *registry) seenSince(device string, since *time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	return k == nil || since != nil && k.lastAlive.After(*since)
}

// announce reports whether a device is to be announced to the other nodes: at most once per
// interval.
func (r *registry) announce(device string, now time.Time, interval time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	if k == nil || now.Sub(k.announced) < interval {
		return false
	}
	k.announced = now
	return true
}
