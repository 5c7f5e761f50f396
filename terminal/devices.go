package terminal

import (
	"context"
	"fmt"

	"edgelens"
)

// Devices returns every device that is known, by ID.
func (f *Face) Devices(context.Context) ([]edgelens.Device, error) { return f.registry.list(), nil }

// Device returns a device; edgelens.ErrNotFound where there is none.
func (f *Face) Device(_ context.Context, id string) (edgelens.Device, error) {
	return f.registry.get(id)
}

// SetDeviceState says what may come of what a device reports, from now on; what
// was held of a quarantined device is told where it is accepted. Errors:
// edgelens.ErrNotFound, ErrInvalid, ErrDiskFull.
func (f *Face) SetDeviceState(ctx context.Context, id string, state edgelens.DeviceState) (edgelens.Device, error) {
	switch state {
	case edgelens.DeviceAccepted, edgelens.DeviceQuarantined, edgelens.DeviceRefused:
	default:
		return edgelens.Device{}, fmt.Errorf("%w: state must be %s, %s or %s, not %q", edgelens.ErrInvalid,
			edgelens.DeviceAccepted, edgelens.DeviceQuarantined, edgelens.DeviceRefused, state)
	}
	device, changed, err := f.registry.setState(id, state)
	if err != nil {
		return edgelens.Device{}, err
	}
	if err := f.parts.Devices.SaveDevices(ctx, device); err != nil {
		return edgelens.Device{}, err // it holds, and is saved later
	}
	// Also where nothing changed: an earlier call may have failed half way.
	if state == edgelens.DeviceAccepted {
		if err := f.parts.Devices.ReleaseDevice(ctx, id); err != nil {
			return edgelens.Device{}, err
		}
	}
	if changed {
		f.log.Info("device "+string(state), "device", id, "dialect", device.Dialect)
	}
	return device, nil
}
