package api

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"edgelens"
)

// Devices provides terminals and cameras, and accepts commands for them.
type Devices interface {
	// Devices returns every device, by ID.
	Devices(ctx context.Context) ([]edgelens.Device, error)
	// Device's error is an edgelens.ErrNotFound for an unknown device.
	Device(ctx context.Context, id string) (edgelens.Device, error)
	// ChangeDevice returns the device as it is then: with all of the change or, with
	// an error, none of it. Its error is an edgelens.ErrNotFound for an unknown
	// device, an edgelens.ErrInvalid for an impossible change.
	ChangeDevice(ctx context.Context, id string, change edgelens.DeviceChange) (edgelens.Device, error)
	// ForgetDevice removes a device, as if it had never sent a message. Its error is an edgelens.ErrNotFound for an
	// unknown one.
	ForgetDevice(ctx context.Context, id string) error
	// NotUnderstood returns the messages that were not understood, the latest first.
	NotUnderstood(ctx context.Context) ([]edgelens.NotUnderstood, error)
	// Send stores a command that is sent until ttl has passed; 0 is the
	// default. A device of "" is the default terminal. Errors:
	// edgelens.ErrNotFound for an unknown device or if there is no default
	// terminal, edgelens.ErrInvalid for a command that the device does not support,
	// *edgelens.Busy, edgelens.ErrDiskFull.
	Send(ctx context.Context, device string, body json.RawMessage, ttl time.Duration) (edgelens.Command, error)
	// Command's error is an edgelens.ErrNotFound for an unknown command.
	Command(ctx context.Context, id string) (edgelens.Command, error)
	// DeviceCommands returns the newest commands for a device, the newest first, at most limit. Its error is an
	// edgelens.ErrNotFound for an unknown device.
	DeviceCommands(ctx context.Context, device string, limit int) ([]edgelens.Command, error)
	// DefaultDevice returns the id of the default terminal; an edgelens.ErrNotFound if
	// there is none.
	DefaultDevice(ctx context.Context) (string, error)
}

// GetDevice implements StrictServerInterface.
func (s *Server) GetDevice(ctx context.Context, r GetDeviceRequestObject) (GetDeviceResponseObject, error) {
	if err := checkUse(ctx, r.Id); err != nil {
		return nil, err
	}
	device, err := s.devices.Device(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return GetDevice200JSONResponse(newDevice(device)), nil
}

// ChangeDevice implements StrictServerInterface.
func (s *Server) ChangeDevice(ctx context.Context, r ChangeDeviceRequestObject) (ChangeDeviceResponseObject, error) {
	if err := checkUse(ctx, r.Id); err != nil {
		return nil, err
	}
	body, err := readObject(r.Body, changeWanted)
	if err != nil {
		return nil, err
	}
	change, ignored, err := readChange(body)
	if err != nil {
		return nil, err
	}
	device, err := s.devices.ChangeDevice(ctx, r.Id, change)
	if err != nil {
		return nil, err
	}
	return ChangeDevice200JSONResponse{
		Body: newDevice(device), Headers: ChangeDevice200ResponseHeaders{XIgnoredFields: optional(ignoredHeader(ignored))},
	}, nil
}

// ForgetDevice implements StrictServerInterface.
func (s *Server) ForgetDevice(ctx context.Context, r ForgetDeviceRequestObject) (ForgetDeviceResponseObject, error) {
	if err := checkUse(ctx, r.Id); err != nil {
		return nil, err
	}
	if err := s.devices.ForgetDevice(ctx, r.Id); err != nil {
		return nil, err
	}
	return ForgetDevice204Response{}, nil
}

// serial matches the ids of devices: they become part of topics and keys.
var serial = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

func checkDevice(id string) error {
	if !serial.MatchString(id) || id == "." || id == ".." {
		return fmt.Errorf("%w: a device's id is 1 to 64 of A-Z a-z 0-9 . _ : - and neither \".\" nor \"..\", not %q; /api/devices lists them", edgelens.ErrInvalid, short(id))
	}
	return nil
}

// checkUse returns an error for an id that no device can have, and for a device that the key is not for.
func checkUse(ctx context.Context, id string) error {
	if err := checkDevice(id); err != nil {
		return err
	}
	return mayUseDevice(ctx, id)
}

func checkState(state DeviceState) error {
	if !state.Valid() {
		return fmt.Errorf("%w: state must be accepted, quarantined or refused, not %q", edgelens.ErrInvalid, short(string(state)))
	}
	return nil
}

// unlessZero returns a pointer to a value; nil for the zero value.
func unlessZero[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

func newDevice(d edgelens.Device) Device {
	device := Device{
		Id: d.ID, DisplayName: optional(d.Settings.DisplayName), Dialect: DeviceDialect(d.Dialect), State: DeviceState(d.State), Online: d.Online,
		FirstSeen: timeOrNil(d.FirstSeen), LastSeen: timeOrNil(d.LastSeen),
		Zone: optional(d.Settings.Zone), Charset: optional(d.Settings.Charset), ApplyClockOffset: d.Settings.ApplyClockOffset, ClockProblem: optional(d.Clock.Problem),
		Fit: optional(Fit(d.Settings.Fit)), Region: newRegion(d.Settings.Region),
		Counters: DeviceCounters{
			Heartbeats: d.Counters.Heartbeats, Records: d.Counters.Records, Duplicates: d.Counters.Duplicates,
			Unknown: d.Counters.Unknown, Malformed: d.Counters.Malformed, Lost: d.Counters.Lost,
			Repaired: d.Counters.Repaired, Empty: d.Counters.Empty, WithoutRecords: d.Counters.WithoutRecords,
			LeftOut: d.Counters.LeftOut, UndecodedTexts: d.Counters.UndecodedTexts,
			UncertainVerdicts: d.Counters.UncertainVerdicts, MissingTimes: d.Counters.MissingTimes, UnreadableTimes: d.Counters.UnreadableTimes, FutureTimes: d.Counters.FutureTimes,
			AmbiguousTimes: d.Counters.AmbiguousTimes, ContradictingTimes: d.Counters.ContradictingTimes, Unproven: unlessZero(d.Counters.Unproven),
		},
		SealedOnly: unlessZero(d.Settings.SealedOnly),
	}
	if d.Clock.Samples > 0 {
		offset := d.Clock.Offset.Milliseconds()
		device.ClockOffsetMs, device.ClockOffsetSamples = &offset, &d.Clock.Samples
	}
	if len(d.NotUnderstood) > 0 {
		list := newNotUnderstood(d.NotUnderstood)
		device.NotUnderstood = &list
	}
	if names := d.Counters.UnknownNames; len(names) > 0 {
		device.Counters.UnknownNames = &names
	}
	return device
}

// ListNotUnderstood implements StrictServerInterface.
func (s *Server) ListNotUnderstood(ctx context.Context, _ ListNotUnderstoodRequestObject) (ListNotUnderstoodResponseObject, error) {
	list, err := s.devices.NotUnderstood(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(one edgelens.NotUnderstood) bool { return !keyFrom(ctx).MayUseDevice(one.Device) })
	return ListNotUnderstood200JSONResponse{NotUnderstood: newNotUnderstood(list)}, nil
}

func newNotUnderstood(list []edgelens.NotUnderstood) []NotUnderstood {
	all := make([]NotUnderstood, 0, len(list))
	for _, one := range list {
		all = append(all, NotUnderstood{
			Topic: one.Topic, Dialect: optional(one.Dialect), Device: optional(one.Device), Reason: one.Reason,
			Count: one.Count, First: one.First, Last: one.Last, Excerpt: one.Excerpt,
		})
	}
	return all
}

// noDevices are the Devices of a server without terminals.
type noDevices struct{}

func (noDevices) Devices(context.Context) ([]edgelens.Device, error) { return nil, nil }

func (noDevices) Device(context.Context, string) (edgelens.Device, error) {
	return edgelens.Device{}, errNoDevices
}

func (noDevices) ChangeDevice(context.Context, string, edgelens.DeviceChange) (edgelens.Device, error) {
	return edgelens.Device{}, errNoDevices
}

func (noDevices) ForgetDevice(context.Context, string) error { return errNoDevices }

func (noDevices) NotUnderstood(context.Context) ([]edgelens.NotUnderstood, error) { return nil, nil }

func (noDevices) Send(context.Context, string, json.RawMessage, time.Duration) (edgelens.Command, error) {
	return edgelens.Command{}, errNoDevices
}

func (noDevices) DeviceCommands(context.Context, string, int) ([]edgelens.Command, error) {
	return nil, errNoDevices
}

func (noDevices) Command(context.Context, string) (edgelens.Command, error) {
	return edgelens.Command{}, errNoDevices
}

func (noDevices) DefaultDevice(context.Context) (string, error) { return "", errNoDevices }

var errNoDevices = fmt.Errorf("%w: this service is not set up for terminals", edgelens.ErrNotFound)
