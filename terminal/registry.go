package terminal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
)

// registry is what is known of devices, in memory: heartbeats are answered
// without asking a disk. What changed is saved behind it.
type registry struct {
	mu      sync.Mutex
	devices map[string]*known
	unknown edgelens.DeviceState
	most    int
	policy  map[string]dialect.Policy // by dialect
	// changed holds a token while devices are to be saved soon.
	changed chan struct{}
}

// known is a device.
type known struct {
	edgelens.Device
	// heard is when it last showed that it lives, by the steady clock.
	heard time.Time
	// dirty is set where it differs from what is saved, urgent where somebody
	// waits to know.
	dirty, urgent bool
	// announced is when the other nodes of a group were last told of it.
	announced time.Time
}

// mostNamesKept bounds how many unknown words of a device are kept count of.
const mostNamesKept = 20

func newRegistry(config Config, dialects []dialect.Dialect) *registry {
	r := &registry{
		devices: map[string]*known{}, most: config.MaxDevices, policy: map[string]dialect.Policy{}, changed: make(chan struct{}, 1),
		unknown: map[string]edgelens.DeviceState{
			UnknownAccept: edgelens.DeviceAccepted, UnknownQuarantine: edgelens.DeviceQuarantined, UnknownRefuse: edgelens.DeviceRefused,
		}[config.Unknown],
	}
	for _, d := range dialects {
		r.policy[d.Name()] = d.Policy()
	}
	return r
}

// load takes over what was saved. A device that was online has its time from
// now on: we were away, not it.
func (r *registry) load(devices []edgelens.Device, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, device := range devices {
		r.devices[device.ID] = &known{Device: device, heard: now}
	}
}

// presence is what a message says of whether its device is there.
type presence int

const (
	saysNothing presence = iota
	isHere
	isGone
)

// String is what a log says.
func (p presence) String() string { return [...]string{"unknown", "online", "offline"}[p] }

// hear takes down that a device said something, and returns what may come of
// it. A serial number belongs to the dialect that used it first. The error is
// for a log.
func (r *registry) hear(of, device string, now time.Time, says presence, count func(*edgelens.DeviceCounters)) (edgelens.DeviceState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	if k == nil {
		if len(r.devices) >= r.most {
			return edgelens.DeviceRefused, fmt.Errorf("%d devices are known, which is all that may be (terminal.max_devices)", r.most)
		}
		k = &known{Device: edgelens.Device{ID: device, Dialect: of, State: r.unknown, FirstSeen: now}, heard: now}
		r.devices[device] = k
		r.touch(k, true)
	}
	if k.Dialect != of {
		return edgelens.DeviceRefused, fmt.Errorf("the device has spoken %s before, and a serial number belongs to the dialect that used it first", k.Dialect)
	}
	k.LastSeen = now
	if says != saysNothing {
		r.setOnline(k, says == isHere)
	}
	if says == isHere {
		k.heard = now
	}
	count(&k.Counters)
	r.touch(k, false)
	return k.State, nil
}

// count counts for a device where it is known, and is no proof that it lives.
func (r *registry) count(device string, count func(*edgelens.DeviceCounters)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.devices[device]; k != nil {
		count(&k.Counters)
		r.touch(k, false)
	}
}

// silent reports whether a device is known to be away.
func (r *registry) silent(device string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	return k != nil && !k.Online && r.policy[k.Dialect].OfflineAfter > 0
}

// heardSince reports whether a device showed that it lives after that time, nil
// being never; one that is not known is taken at its word.
func (r *registry) heardSince(device string, since *time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	return k == nil || since != nil && k.heard.After(*since)
}

// seenElsewhere takes down that another node heard a device.
func (r *registry) seenElsewhere(of, device string, now time.Time) {
	_, _ = r.hear(of, device, now, isHere, func(*edgelens.DeviceCounters) {}) // a stranger's faults are its own
}

// announce reports whether the others are to be told that a device lives: not
// more often than every interval.
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

// expire takes down which devices have been silent for too long.
func (r *registry) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.devices {
		if after := r.policy[k.Dialect].OfflineAfter; k.Online && after > 0 && now.Sub(k.heard) > after {
			r.setOnline(k, false)
		}
	}
}

func (r *registry) setOnline(k *known, online bool) {
	if k.Online != online {
		k.Online = online
		r.touch(k, true)
	}
}

func (r *registry) touch(k *known, urgent bool) {
	k.dirty = true
	if urgent {
		k.urgent = true
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}
}

// takeDirty returns what is to be saved, all of it or what is urgent, and takes
// it for saved.
func (r *registry) takeDirty(all bool) []edgelens.Device {
	r.mu.Lock()
	defer r.mu.Unlock()
	var devices []edgelens.Device
	for _, k := range r.devices {
		if k.urgent || all && k.dirty {
			k.urgent, k.dirty = false, false
			devices = append(devices, cloned(k.Device))
		}
	}
	return devices
}

// notSaved takes takeDirty back.
func (r *registry) notSaved(devices []edgelens.Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, device := range devices {
		if k := r.devices[device.ID]; k != nil {
			k.dirty, k.urgent = true, true
		}
	}
}

// setState returns the device with another state, and whether it has changed.
func (r *registry) setState(device string, state edgelens.DeviceState) (edgelens.Device, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	if k == nil {
		return edgelens.Device{}, false, unknownDevice(device)
	}
	changed := k.State != state
	if changed {
		k.State = state
		r.touch(k, true)
	}
	return cloned(k.Device), changed, nil
}

// quarantined reports whether what a device says is kept to be told later.
func (r *registry) quarantined(device string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	return k != nil && k.State == edgelens.DeviceQuarantined
}

func (r *registry) get(device string) (edgelens.Device, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.devices[device]; k != nil {
		return cloned(k.Device), nil
	}
	return edgelens.Device{}, unknownDevice(device)
}

func unknownDevice(device string) error {
	return fmt.Errorf("%w: no device has the serial number %q, or it was never heard from; /api/devices lists those that were", edgelens.ErrNotFound, device)
}

func (r *registry) list() []edgelens.Device {
	r.mu.Lock()
	defer r.mu.Unlock()
	devices := make([]edgelens.Device, 0, len(r.devices))
	for _, k := range r.devices {
		devices = append(devices, cloned(k.Device))
	}
	slices.SortFunc(devices, func(a, b edgelens.Device) int { return strings.Compare(a.ID, b.ID) })
	return devices
}

func cloned(d edgelens.Device) edgelens.Device {
	d.Counters.UnknownNames = maps.Clone(d.Counters.UnknownNames)
	return d
}

// countUnknown counts a word of a device that its dialect does not know.
func countUnknown(c *edgelens.DeviceCounters, name string) {
	c.Unknown++
	if _, known := c.UnknownNames[name]; !known && len(c.UnknownNames) >= mostNamesKept {
		name = "others"
	}
	if c.UnknownNames == nil {
		c.UnknownNames = map[string]int64{}
	}
	c.UnknownNames[name]++
}
