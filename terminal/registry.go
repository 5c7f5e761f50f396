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

// registry holds the known devices in memory, so that heartbeats are answered without disk
// access. Changes are saved afterwards.
type registry struct {
	mu         sync.Mutex
	devices    map[string]*known
	unknown    edgelens.DeviceState
	maxDevices int
	policy     map[string]dialect.Policy // by dialect
	// zone is that of the site's settings, clockLimit the offset beyond which a clock is wrong.
	zone       clock.Zone
	clockLimit time.Duration
	// changed holds a token while urgent changes are to be saved.
	changed chan struct{}
}

// known is a device.
type known struct {
	edgelens.Device
	// lastAlive is the time of its last sign of life, by the monotonic clock.
	lastAlive time.Time
	// dirty is set where it differs from its saved state, urgent where the change is to
	// be saved and published at once.
	dirty, urgent bool
	// announced is when it was last announced to the other nodes of a group.
	announced time.Time
	// meter measures its clock, and clockWrong is whether the last log line reported it
	// as wrong.
	meter      clock.Meter
	clockWrong bool
	// zone is that of its settings; nil for the site's.
	zone *time.Location
}

// maxNamesKept is the maximum number of unknown message names counted per device.
const maxNamesKept = 20

func newRegistry(config Config, dialects []dialect.Dialect, zone clock.Zone) *registry {
	r := &registry{
		zone: zone, clockLimit: config.ClockLimit,
		devices: map[string]*known{}, maxDevices: config.MaxDevices, policy: map[string]dialect.Policy{}, changed: make(chan struct{}, 1),
		unknown: map[string]edgelens.DeviceState{
			UnknownAccept: edgelens.DeviceAccepted, UnknownQuarantine: edgelens.DeviceQuarantined, UnknownRefuse: edgelens.DeviceRefused,
		}[config.Unknown],
	}
	for _, d := range dialects {
		r.policy[d.Name()] = d.Policy()
	}
	return r
}

// load sets the saved devices. The offline timeout of a device that was online restarts:
// we were stopped, not the device.
func (r *registry) load(devices []edgelens.Device, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, device := range devices {
		k := &known{Device: device, lastAlive: now}
		k.zone, _ = clock.Location(device.Settings.Zone) // nil where there is none, or none any more
		switch k.State {
		case edgelens.DeviceAccepted, edgelens.DeviceRefused:
		default: // quarantine a device with a state of a newer version
			k.State = edgelens.DeviceQuarantined
		}
		r.devices[device.ID] = k
	}
}

// presence is what a message proves about the presence of its device.
type presence int

const (
	presenceUnknown presence = iota
	presenceOnline
	presenceOffline
)

// String returns the presence for a log.
func (p presence) String() string { return [...]string{"unknown", "online", "offline"}[p] }

// noteSeen records a message of a device, and returns the state of the device. A serial
// number belongs to the dialect that used it first. The error is for a log.
func (r *registry) noteSeen(of, device string, now time.Time, reported presence, count func(*edgelens.DeviceCounters)) (edgelens.DeviceState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	if k == nil {
		if len(r.devices) >= r.maxDevices {
			return edgelens.DeviceRefused, fmt.Errorf("%d devices are known, which is the maximum (terminal.max_devices)", r.maxDevices)
		}
		k = &known{Device: edgelens.Device{ID: device, Dialect: of, State: r.unknown, FirstSeen: now}, lastAlive: now}
		r.devices[device] = k
		r.touch(k, true)
	}
	if k.Dialect != of {
		return edgelens.DeviceRefused, fmt.Errorf("the device has used the dialect %s before, and a serial number belongs to the dialect that used it first", k.Dialect)
	}
	k.LastSeen = now
	if reported != presenceUnknown {
		r.setOnline(k, reported == presenceOnline, now)
	}
	if reported == presenceOnline {
		k.lastAlive = now
	}
	count(&k.Counters)
	r.touch(k, false)
	return k.State, nil
}

// count changes the counters of a known device; it is no sign of life.
func (r *registry) count(device string, count func(*edgelens.DeviceCounters)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.devices[device]; k != nil {
		count(&k.Counters)
		r.touch(k, false)
	}
}

// measure adds a sample of a device's clock, and returns the estimate, and whether the
// clock has become wrong, or right again.
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

// clock returns the estimate of a device's clock, and whether times are to be corrected by
// it.
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

// zoneOf returns the zone of a device's clock, never nil: that of its settings, else the
// site's.
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

// shown returns a device as the API shows it.
func (r *registry) shown(k *known, now time.Time) edgelens.Device {
	device := cloned(k.Device)
	measured := k.meter.Estimate(now)
	device.Clock = edgelens.DeviceClock{
		Offset: measured.Offset, Samples: measured.Samples, Problem: measured.Problem(r.clockLimit, r.zoneOfKnown(device.ID, k), now),
	}
	return device
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

// seenElsewhere records that another node received a message of a device.
func (r *registry) seenElsewhere(of, device string, now time.Time) {
	_, _ = r.noteSeen(of, device, now, presenceOnline, func(*edgelens.DeviceCounters) {}) // a device that is refused here stays so
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
			k.meter.Offline(now)
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

// takeDirty returns the devices to be saved, all or the urgent ones, and marks them as
// saved.
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

// notSaved marks devices as not saved again.
func (r *registry) notSaved(devices []edgelens.Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, device := range devices {
		if k := r.devices[device.ID]; k != nil {
			k.dirty, k.urgent = true, true
		}
	}
}

// change changes a device, and returns it before and after. zone is the zone of the
// change.
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
		k.meter.Reset() // its samples are from the other zone
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

// quarantined reports whether the records of a device are held back.
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
	return fmt.Errorf("%w: no device with the serial number %q has sent a message; GET /api/devices lists those that have", edgelens.ErrNotFound, device)
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

// countUnknown counts a message of a device that its dialect does not know.
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
