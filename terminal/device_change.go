package terminal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect/charset"
)

// change is Bridge.ChangeDevice.
func (p *presence) change(ctx context.Context, id string, change edgelens.DeviceChange) (edgelens.Device, error) {
	zone, err := checkChange(&change)
	if err != nil {
		return edgelens.Device{}, err
	}
	p.saving.Lock()
	defer p.saving.Unlock()
	before, device, err := p.registry.change(id, change, zone, p.now())
	if err != nil {
		return edgelens.Device{}, err
	}
	if err := p.store.SaveDevices(ctx, device); err != nil {
		return edgelens.Device{}, err // the change is in effect, and saved later
	}
	// Also without a change of state: an earlier call may have failed half way.
	if change.State != nil && device.State == edgelens.DeviceAccepted {
		if err := p.store.ReleaseDevice(ctx, id); err != nil {
			return edgelens.Device{}, err
		}
	}
	if before.State != device.State {
		p.log.Info("device "+string(device.State), "device", id, "dialect", device.Dialect)
	}
	if before.Settings != device.Settings {
		p.log.Info("settings of a device changed", "device", id, "zone", device.Settings.Zone, "apply_clock_offset", device.Settings.ApplyClockOffset, "charset", device.Settings.Charset, "display_name", device.Settings.DisplayName, "fit", device.Settings.Fit, "region", device.Settings.Region, "sealed_only", device.Settings.SealedOnly)
	}
	return device, nil
}

// remove is Bridge.ForgetDevice.
func (p *presence) remove(ctx context.Context, id string) error {
	p.saving.Lock()
	defer p.saving.Unlock()
	device, err := p.registry.get(id)
	if err != nil {
		return err
	}
	// First what is stored: with an error, the device is as before.
	if err := p.store.ForgetDevice(ctx, id); err != nil {
		return err
	}
	p.registry.forget(id)
	p.availabilities.remove([]string{id})
	p.log.Info("device forgotten", "event", "device_forgotten", "device", id, "dialect", device.Dialect)
	return nil
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
	if change.DisplayName != nil {
		if err := edgelens.CheckDisplayName(*change.DisplayName); err != nil {
			return nil, err
		}
	}
	if change.Fit != nil {
		if err := change.Fit.Check(); err != nil {
			return nil, err
		}
	}
	if change.Region != nil {
		if err := change.Region.Check(); err != nil {
			return nil, err
		}
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
