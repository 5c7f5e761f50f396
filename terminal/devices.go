package terminal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect/charset"
)

// Devices returns every known device, by ID.
func (b *Bridge) Devices(context.Context) ([]edgelens.Device, error) { return b.registry.list(), nil }

// Device returns a device; edgelens.ErrNotFound for an unknown id.
func (b *Bridge) Device(_ context.Context, id string) (edgelens.Device, error) {
	device, err := b.registry.get(id)
	device.NotUnderstood = b.notUnderstood.of(id)
	return device, err
}

// NotUnderstood returns the messages that were not understood since this process started,
// the latest first.
func (b *Bridge) NotUnderstood(context.Context) ([]edgelens.NotUnderstood, error) {
	return slices.Concat(b.notUnderstood.list(), b.foreign.list()), nil
}

// ChangeDevice changes the state and the settings of a device from now on: all of the
// change or, with an error, nothing. Accepting a quarantined device releases its held
// records. Errors: edgelens.ErrNotFound, ErrInvalid, ErrDiskFull.
func (b *Bridge) ChangeDevice(ctx context.Context, id string, change edgelens.DeviceChange) (edgelens.Device, error) {
	zone, err := checkChange(&change)
	if err != nil {
		return edgelens.Device{}, err
	}
	before, device, err := b.registry.change(id, change, zone, b.now())
	if err != nil {
		return edgelens.Device{}, err
	}
	if err := b.parts.Devices.SaveDevices(ctx, device); err != nil {
		return edgelens.Device{}, err // the change is in effect, and saved later
	}
	// Also without a change of state: an earlier call may have failed half way.
	if change.State != nil && device.State == edgelens.DeviceAccepted {
		if err := b.parts.Devices.ReleaseDevice(ctx, id); err != nil {
			return edgelens.Device{}, err
		}
	}
	if before.State != device.State {
		b.log.Info("device "+string(device.State), "device", id, "dialect", device.Dialect)
	}
	if before.Settings != device.Settings {
		b.log.Info("settings of a device changed", "device", id, "zone", device.Settings.Zone, "apply_clock_offset", device.Settings.ApplyClockOffset, "charset", device.Settings.Charset)
	}
	return device, nil
}

// checkChange returns the zone of a change; nil for none. It replaces the name of the
// character set by its canonical one.
func checkChange(change *edgelens.DeviceChange) (*time.Location, error) {
	if change.State != nil {
		switch *change.State {
		case edgelens.DeviceAccepted, edgelens.DeviceQuarantined, edgelens.DeviceRefused:
		default:
			return nil, fmt.Errorf("%w: state must be %s, %s or %s, not %q", edgelens.ErrInvalid,
				edgelens.DeviceAccepted, edgelens.DeviceQuarantined, edgelens.DeviceRefused, *change.State)
		}
	}
	if change.Charset != nil && *change.Charset != "" {
		name, ok := charset.Find(*change.Charset)
		if !ok {
			return nil, fmt.Errorf("%w: charset must be one of %s, or empty, not %q", edgelens.ErrInvalid, strings.Join(charset.Names, ", "), clip.Line(*change.Charset, 40))
		}
		change.Charset = &name
	}
	if change.Zone == nil || *change.Zone == "" {
		return nil, nil
	}
	zone, err := clock.Location(*change.Zone)
	if err != nil {
		return nil, fmt.Errorf(`%w: %w; zone must be one of the IANA database such as "Europe/Berlin", an offset such as "+08:00", or empty for terminal.zone`, edgelens.ErrInvalid, err)
	}
	return zone, nil
}
