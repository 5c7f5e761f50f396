package terminal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
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
	// zone is that of the site's settings, clockLimit from where on a clock is wrong.
	zone       clock.Zone
	clockLimit time.Duration
	// changed holds a token while devices are to be saved soon.
	changed chan struct{}
}

// known is a device.
type known struct {
	edgelens.Device
	// onMessage is when it last showed that it lives, by the steady clock.
	onMessage time.Time
	// dirty is set where it differs from what is saved, urgent where somebody
	// waits to know.
	dirty, urgent bool
	// announced is when the other nodes of a group were last told of it.
	announced time.Time
	// meter measures its clock, and clockWrong is whether the log says that it is
	// wrong.
	meter      clock.Meter
	clockWrong bool
	// zone is that of its settings; nil for the site's.
	zone *time.Location
}

// maxNamesKept bounds how many unknown words of a device are kept count of.
const maxNamesKept = 20

func newRegistry(config Config, dialects []dialect.Dialect, zone clock.Zone) *registry {
	r := &registry{
		zone: zone, clockLimit: config.ClockLimit,
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
		k := &known{Device: device, onMessage: now}
		k.zone, _ = clock.Location(device.Settings.Zone) // nil where there is none, or none any more
		switch k.State {
		case edgelens.DeviceAccepted, edgelens.DeviceRefused:
		default: // a state that a newer version knows is no reason to accept it
			k.State = edgelens.DeviceQuarantined
		}
		r.devices[device.ID] = k
	}
}

// presence is what a message says of whether its device is there.
type presence int

const (
	presenceUnknown presence = iota
	presenceOnline
	presenceOffline
)

// String is what a log says.
func (p presence) String() string { return [...]string{"unknown", "online", "offline"}[p] }

// noteSeen takes down that a device said something, and returns what may come of
// it. A serial number belongs to the dialect that used it first. The error is
// for a log.
func (r *registry) noteSeen(of, device string, now time.Time, says presence, count func(*edgelens.DeviceCounters)) (edgelens.DeviceState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	if k == nil {
		if len(r.devices) >= r.most {
			return edgelens.DeviceRefused, fmt.Errorf("%d devices are known, which is all that may be (terminal.max_devices)", r.most)
		}
		k = &known{Device: edgelens.Device{ID: device, Dialect: of, State: r.unknown, FirstSeen: now}, onMessage: now}
		r.devices[device] = k
		r.touch(k, true)
	}
	if k.Dialect != of {
		return edgelens.DeviceRefused, fmt.Errorf("the device has spoken %s before, and a serial number belongs to the dialect that used it first", k.Dialect)
	}
	k.LastSeen = now
	if says != presenceUnknown {
		r.setOnline(k, says == presenceOnline, now)
	}
	if says == presenceOnline {
		k.onMessage = now
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

// measure takes down what a device's clock showed when a message came, and returns
// what is known of it now, and whether it is news that it is wrong, or right again.
func (r *registry) measure(device string, source clock.Source, verdict clock.Verdict, received time.Time) (now clock.Estimate, changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	if k == nil {
		return clock.Estimate{}, false
	}
	k.meter.Add(source, verdict, received)
	now = k.meter.Estimate(received)
	if wrong := now.Wrong(r.clockLimit); now.Stable && wrong != k.clockWrong {
		k.clockWrong, changed = wrong, true
	}
	return now, changed
}

// clock returns what is known of a device's clock, and whether times are to be put
// right by it.
func (r *registry) clock(device string, now time.Time) (measured clock.Estimate, apply bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.devices[device]; k != nil {
		return k.meter.Estimate(now), k.Settings.ApplyClockOffset
	}
	return clock.Estimate{}, false
}

// charsetOf returns the character set of a device's settings; empty for none.
func (r *registry) charsetOf(device string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.devices[device]; k != nil {
		return k.Settings.Charset
	}
	return ""
}

// zoneOf returns the zone that a device's clock is in, never nil: that of its
// settings, else the site's.
func (r *registry) zoneOf(device string) *time.Location {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.zoneOfKnown(device, r.devices[device])
}

func (r *registry) zoneOfKnown(device string, k *known) *time.Location {
	if k != nil && k.zone != nil {
		return k.zone
	}
	return r.zone.Of(device)
}

// shown returns a device for others to see.
func (r *registry) shown(k *known, now time.Time) edgelens.Device {
	device := cloned(k.Device)
	measured := k.meter.Estimate(now)
	device.Clock = edgelens.DeviceClock{
		Offset: measured.Offset, Samples: measured.Samples, Problem: measured.Problem(r.clockLimit, r.zoneOfKnown(device.ID, k), now),
	}
	return device
}

// silent reports whether a device is known to be away.
func (r *registry) silent(device string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	return k != nil && !k.Online && r.policy[k.Dialect].OfflineAfter > 0
}

// seenSince reports whether a device showed that it lives after that time, nil
// being never; one that is not known is taken at its word.
func (r *registry) seenSince(device string, since *time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	return k == nil || since != nil && k.onMessage.After(*since)
}

// seenElsewhere takes down that another node heard a device.
func (r *registry) seenElsewhere(of, device string, now time.Time) {
	_, _ = r.noteSeen(of, device, now, presenceOnline, func(*edgelens.DeviceCounters) {}) // a stranger's faults are its own
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
		if after := r.policy[k.Dialect].OfflineAfter; k.Online && after > 0 && now.Sub(k.onMessage) > after {
			r.setOnline(k, false, now)
		}
	}
}

func (r *registry) setOnline(k *known, online bool, now time.Time) {
	if k.Online != online {
		if !online {
			k.meter.Away(now)
		}
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

// change changes a device, and returns it as it was and as it is. zone is that of
// the change.
func (r *registry) change(device string, change edgelens.DeviceChange, zone *time.Location, now time.Time) (before, after edgelens.Device, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	if k == nil {
		return edgelens.Device{}, edgelens.Device{}, unknownDevice(device)
	}
	before = r.shown(k, now)
	if change.State != nil {
		k.State = *change.State
	}
	if change.Zone != nil && *change.Zone != k.Settings.Zone {
		k.Settings.Zone, k.zone = *change.Zone, zone
		k.meter.Reset() // it was measured in the other one
	}
	if change.Charset != nil {
		k.Settings.Charset = *change.Charset
	}
	if change.ApplyClockOffset != nil {
		k.Settings.ApplyClockOffset = *change.ApplyClockOffset
	}
	if before.State != k.State || before.Settings != k.Settings {
		r.touch(k, true)
	}
	return before, r.shown(k, now), nil
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
		return r.shown(k, time.Now()), nil
	}
	return edgelens.Device{}, unknownDevice(device)
}

func unknownDevice(device string) error {
	return fmt.Errorf("%w: no device has the serial number %q, or it was never heard from; /api/devices lists those that were", edgelens.ErrNotFound, device)
}

func (r *registry) list() []edgelens.Device {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, devices := time.Now(), make([]edgelens.Device, 0, len(r.devices))
	for _, k := range r.devices {
		devices = append(devices, r.shown(k, now))
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
	if _, known := c.UnknownNames[name]; !known && len(c.UnknownNames) >= maxNamesKept {
		name = "others"
	}
	if c.UnknownNames == nil {
		c.UnknownNames = map[string]int64{}
	}
	c.UnknownNames[name]++
}
