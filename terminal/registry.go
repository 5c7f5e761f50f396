package terminal

import (
	"container/list"
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
// access. Changes are saved afterwards. It is safe for use by many goroutines.
type registry struct {
	unknown    edgelens.DeviceState // of a new device
	maxDevices int
	policy     map[string]dialect.Policy // by dialect
	clocks     *clocks
	// urgent holds a token while urgent changes are to be saved.
	urgent chan struct{}

	mu      sync.Mutex
	devices map[string]*known
	// passing are the devices that are not lasting, the one that was silent for longest first; gone are those that
	// had to give way, until takeGone.
	passing *list.List // of *known
	gone    []string
}

// known is a device.
type known struct {
	edgelens.Device
	// lastAlive is the time of its last sign of life, by the monotonic clock.
	lastAlive time.Time
	// passing is its place among those that are not lasting; nil where it is: once it has sent a record or a reply, or an
	// operator has changed it or sent it a command. A heartbeat alone proves nothing, as any client can make up thousands of
	// them: such a device is not stored, and gives way to new ones.
	passing *list.Element
	// dirty is set where it differs from its saved state, urgent where the change is to
	// be saved and published at once.
	dirty, urgent bool
	// announced is when it was last announced to the other nodes of a group.
	announced time.Time
}

// newRegistry returns a registry of the saved devices. The offline timeout of a device that
// was online restarts: we were stopped, not the device.
func newRegistry(config Config, dialects []dialect.Dialect, clocks *clocks, saved []edgelens.Device, now time.Time) *registry {
	r := &registry{
		devices: map[string]*known{}, passing: list.New(), maxDevices: config.MaxDevices, policy: map[string]dialect.Policy{}, clocks: clocks, urgent: make(chan struct{}, 1),
		unknown: map[string]edgelens.DeviceState{
			UnknownAccept: edgelens.DeviceAccepted, UnknownQuarantine: edgelens.DeviceQuarantined, UnknownRefuse: edgelens.DeviceRefused,
		}[config.Unknown],
	}
	for _, d := range dialects {
		r.policy[d.Name()] = d.Policy()
	}
	for _, device := range saved {
		switch device.State {
		case edgelens.DeviceAccepted, edgelens.DeviceRefused:
		default: // quarantine a device with a state of a newer version
			device.State = edgelens.DeviceQuarantined
		}
		zone, _ := clock.Location(device.Settings.Zone) // nil where there is none, or none any more
		clocks.setZone(device.ID, zone)
		if device.Settings.Fit.Check() != nil { // of a newer version; no record may be lost for it
			device.Settings.Fit = ""
		}
		r.devices[device.ID] = &known{Device: device, lastAlive: now}
	}
	r.letPass(saved)
	return r
}

// letPass makes those of the saved devices not lasting that an earlier version has stored for a heartbeat alone.
func (r *registry) letPass(saved []edgelens.Device) {
	slices.SortFunc(saved, func(a, b edgelens.Device) int { return a.LastSeen.Compare(b.LastSeen) })
	for _, device := range saved {
		k := r.devices[device.ID]
		if k.Counters.Records == 0 && k.State == r.unknown && k.Settings == (edgelens.DeviceSettings{}) {
			k.passing = r.passing.PushBack(k)
		}
	}
}

// makeLast makes a device lasting; it does nothing for an unknown one.
func (r *registry) makeLast(device string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.devices[device]; k != nil {
		r.last(k)
	}
}

// last makes a device lasting: it is stored, and does not give way. The lock must be held.
func (r *registry) last(k *known) {
	if k.passing != nil {
		r.passing.Remove(k.passing)
		k.passing = nil
		r.touch(k, true)
	}
}

// giveWay removes the device that is not lasting and was silent for longest; false where all are lasting. The lock must
// be held.
func (r *registry) giveWay() bool {
	oldest := r.passing.Front()
	if oldest == nil {
		return false
	}
	id := r.passing.Remove(oldest).(*known).ID
	delete(r.devices, id)
	r.clocks.forget(id)
	r.gone = append(r.gone, id)
	wake(r.urgent)
	return true
}

// takeGone returns the devices that gave way since the last call.
func (r *registry) takeGone() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	gone := r.gone
	r.gone = nil
	return slices.DeleteFunc(gone, func(id string) bool { return r.devices[id] != nil }) // it is back
}

// forget removes a device, whatever it has sent; false for an unknown one.
func (r *registry) forget(device string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	if k == nil {
		return false
	}
	if k.passing != nil {
		r.passing.Remove(k.passing)
	}
	delete(r.devices, device)
	r.clocks.forget(device)
	return true
}

// get returns a device; edgelens.ErrNotFound for an unknown one.
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

// list returns every device, by ID.
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

// shown returns a device as the API shows it.
func (r *registry) shown(k *known, now time.Time) edgelens.Device {
	device := cloned(k.Device)
	device.Clock = r.clocks.shown(k.ID, now)
	return device
}

func cloned(d edgelens.Device) edgelens.Device {
	d.Counters.UnknownNames = maps.Clone(d.Counters.UnknownNames)
	return d
}

// settings returns the settings of a device; none for an unknown one.
func (r *registry) settings(device string) edgelens.DeviceSettings {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.devices[device]; k != nil {
		return k.Settings
	}
	return edgelens.DeviceSettings{}
}

// quarantined reports whether the records of a device are held back.
func (r *registry) quarantined(device string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.devices[device]
	return k != nil && k.State == edgelens.DeviceQuarantined
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
		k.Settings.Zone = *change.Zone
		r.clocks.setZone(device, zone)
	}
	if change.Charset != nil {
		k.Settings.Charset = *change.Charset
	}
	if change.ApplyClockOffset != nil {
		k.Settings.ApplyClockOffset = *change.ApplyClockOffset
	}
	if change.DisplayName != nil {
		k.Settings.DisplayName = *change.DisplayName
	}
	if change.Fit != nil {
		k.Settings.Fit = *change.Fit
	}
	if change.Region != nil {
		k.Settings.Region = *change.Region
	}
	if change.SealedOnly != nil {
		k.Settings.SealedOnly = *change.SealedOnly
	}
	r.last(k)
	if before.State != k.State || before.Settings != k.Settings {
		r.touch(k, true)
	}
	return before, r.shown(k, now), nil
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

// touch marks a device as to be saved; urgently where it is not only counters and times.
func (r *registry) touch(k *known, urgent bool) {
	k.dirty = true
	if urgent {
		k.urgent = true
		wake(r.urgent)
	}
}

// changes returns a channel with a token while urgent changes are to be saved.
func (r *registry) changes() <-chan struct{} { return r.urgent }

// takeDirty returns the changed devices, all or the urgent ones, and those of them that are to be saved, and marks them as
// saved.
func (r *registry) takeDirty(all bool) (changed, lasting []edgelens.Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.devices {
		if k.urgent || all && k.dirty {
			k.urgent, k.dirty = false, false
			changed = append(changed, cloned(k.Device))
			if k.passing == nil {
				lasting = append(lasting, changed[len(changed)-1])
			}
		}
	}
	return changed, lasting
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
