package terminal

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
)

const (
	// MinCommandTTL and MaxCommandTTL bound how long a command may be queued.
	MinCommandTTL = minLife
	MaxCommandTTL = 24 * time.Hour
	// maxCommands is the maximum number of queued commands.
	maxCommands = 1000
)

// commanderParts are the dependencies of the commander.
type commanderParts struct {
	common
	store    Commands
	dialects matcher
	registry *registry
	presence *presence
	downlink *downlink
}

// commander queues commands for devices, sends them, and stores the replies. It is safe for
// use by many goroutines.
type commander struct {
	commanderParts
	// due holds a token where commands may be waiting to be sent.
	due chan struct{}
	// subscribedSince is the time since which we receive messages; nil where we do not.
	subscribedSince atomic.Pointer[time.Time]
}

func newCommander(parts commanderParts) *commander {
	return &commander{commanderParts: parts, due: make(chan struct{}, 1)}
}

// submit is Bridge.Send.
func (c *commander) submit(ctx context.Context, device string, body json.RawMessage, ttl time.Duration) (edgelens.Command, error) {
	d, device, err := c.addressee(device)
	if err != nil {
		return edgelens.Command{}, err
	}
	if ttl == 0 {
		ttl = c.config.CommandTTL
	}
	if ttl < MinCommandTTL || ttl > MaxCommandTTL {
		return edgelens.Command{}, fmt.Errorf("%w: ttl must be %v to %v, not %v", edgelens.ErrInvalid, MinCommandTTL, MaxCommandTTL, ttl)
	}
	if _, err := d.Command(device, "", body, c.now()); err != nil {
		return edgelens.Command{}, fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
	}
	waiting, err := c.store.QueuedCommands(ctx)
	if err != nil {
		return edgelens.Command{}, err
	}
	if len(waiting) >= maxCommands {
		return edgelens.Command{}, &edgelens.Busy{RetryAfter: listenRetry, Reason: fmt.Sprintf("%d commands are queued, which is the maximum", len(waiting))}
	}
	c.registry.makeLast(device)
	command, err := c.store.AddCommand(ctx, device, body, c.now().Add(ttl))
	if err != nil {
		return edgelens.Command{}, err
	}
	wake(c.due)
	return command, nil
}

// check is Bridge.CheckCommand.
func (c *commander) check(device string, body json.RawMessage) error {
	d, device, err := c.addressee(device)
	if err != nil {
		return err
	}
	if _, err := d.Command(device, "", body, c.now()); err != nil {
		return fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
	}
	return nil
}

// addressee returns the device of a command and its dialect. Errors: edgelens.ErrNotFound,
// ErrInvalid.
func (c *commander) addressee(device string) (dialect.Dialect, string, error) {
	if device == "" {
		device = c.config.Default
	}
	if device == "" {
		return c.onlyDevice()
	}
	known, err := c.registry.get(device)
	if err == nil {
		d := c.dialects.named(known.Dialect)
		if d == nil { // saved by a newer version
			return nil, "", fmt.Errorf("%w: the device uses the dialect %q, which this version of edgelens does not know", edgelens.ErrInvalid, known.Dialect)
		}
		return d, device, nil
	}
	if device == c.config.Default && len(c.dialects) > 0 {
		return c.dialects[0], device, nil // configured, but without a message yet
	}
	return nil, "", err
}

// onlyDevice returns the one device that takes commands.
func (c *commander) onlyDevice() (dialect.Dialect, string, error) {
	var of dialect.Dialect
	found := ""
	for _, device := range c.registry.list() {
		d := c.dialects.named(device.Dialect)
		if d == nil || device.State == edgelens.DeviceRefused || d.Policy().Heartbeat == 0 {
			continue
		}
		if found != "" {
			return nil, "", fmt.Errorf("%w: there is more than one terminal; set terminal.default to the serial number of one, or POST to /api/devices/{id}/commands", edgelens.ErrNotFound)
		}
		of, found = d, device.ID
	}
	if found == "" {
		return nil, "", fmt.Errorf("%w: no terminal has sent a message yet; set terminal.default to the serial number of one, or wait for its first heartbeat", edgelens.ErrNotFound)
	}
	return of, found, nil
}
