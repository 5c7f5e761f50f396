package terminal

import (
	"context"
	"encoding/json"
	"time"

	"edgelens"
)

// Envelopes opens sealed messages.
type Envelopes interface {
	// IsSealed reports whether a payload is meant as an envelope.
	IsSealed(payload []byte) bool
	// Open opens an envelope. Its error is an *edgelens.EnvelopeRefusal for one that is never accepted; others are
	// temporary.
	Open(ctx context.Context, envelope []byte) (edgelens.Opened, error)
}

// noEnvelopes are the Envelopes of a bridge without keys: nothing is sealed.
type noEnvelopes struct{}

func (noEnvelopes) IsSealed([]byte) bool { return false }

func (noEnvelopes) Open(context.Context, []byte) (edgelens.Opened, error) {
	return edgelens.Opened{}, edgelens.ErrInvalid
}

// Records stores records and has their images recognized.
type Records interface {
	// Receive stores a record once: existing is true for a duplicate, of which nothing is
	// written. Errors: edgelens.ErrDiskFull and other temporary ones, edgelens.ErrInvalid,
	// which is permanent, and edgelens.ErrStopping.
	Receive(ctx context.Context, r edgelens.Reception) (existing bool, err error)
}

// Devices stores devices.
type Devices interface {
	Devices(ctx context.Context) ([]edgelens.Device, error)
	SaveDevices(ctx context.Context, devices ...edgelens.Device) error
	// RemoveDevices removes devices; unknown ones are no error.
	RemoveDevices(ctx context.Context, ids ...string) error
	// ForgetDevice removes a device with its commands and undelivered events, and cancels its queued jobs.
	ForgetDevice(ctx context.Context, id string) error
	// ReleaseDevice releases the held records of a device for delivery.
	ReleaseDevice(ctx context.Context, device string) error
}

// Commands stores commands.
type Commands interface {
	AddCommand(ctx context.Context, device string, body json.RawMessage, deadline time.Time) (edgelens.Command, error)
	// MoveCommand changes the state of a command; edgelens.ErrConflict where its present
	// state is final.
	MoveCommand(ctx context.Context, id string, status edgelens.CommandStatus, detail string) (edgelens.Command, error)
	// Command returns a command; edgelens.ErrNotFound for an unknown id.
	Command(ctx context.Context, id string) (edgelens.Command, error)
	// DeviceCommands returns the newest commands for a device, the newest first.
	DeviceCommands(ctx context.Context, device string, limit int) ([]edgelens.Command, error)
	// QueuedCommands returns the commands to be sent, the oldest first.
	QueuedCommands(ctx context.Context) ([]edgelens.Command, error)
}
