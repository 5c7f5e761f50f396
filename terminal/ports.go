package terminal

import (
	"context"
	"encoding/json"
	"time"

	"edgelens"
)

// Records makes records durable, and has their images looked at.
type Records interface {
	// Receive makes a record durable, once: existing is true for one that came
	// before, of which nothing is written. Errors: edgelens.ErrDiskFull and
	// others that may pass, edgelens.ErrInvalid that will not, and
	// edgelens.ErrStopping.
	Receive(ctx context.Context, r edgelens.Reception) (existing bool, err error)
}

// Devices keeps what is known of devices.
type Devices interface {
	Devices(ctx context.Context) ([]edgelens.Device, error)
	SaveDevices(ctx context.Context, devices ...edgelens.Device) error
	// ReleaseDevice lets the records of a device be told that were held.
	ReleaseDevice(ctx context.Context, device string) error
}

// Commands keeps commands.
type Commands interface {
	AddCommand(ctx context.Context, device string, body json.RawMessage, deadline time.Time) (edgelens.Command, error)
	// MoveCommand moves a command to another state, unless that which it is in
	// is terminal: an edgelens.ErrConflict.
	MoveCommand(ctx context.Context, id string, status edgelens.CommandStatus, detail string) (edgelens.Command, error)
	// Command returns a command; edgelens.ErrNotFound where there is none.
	Command(ctx context.Context, id string) (edgelens.Command, error)
	// QueuedCommands returns those that wait to be sent, the oldest first.
	QueuedCommands(ctx context.Context) ([]edgelens.Command, error)
}
