// Package homeassistant makes the node, its terminals, cameras and sensors known to Home Assistant by MQTT discovery
// (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery): for each one retained message that describes a
// device with its entities, and retained messages with their values.
//
// No retained message states that a person was recognized: Home Assistant would act on it again after a restart.
// Recognitions are entities of the platform event, on the topics of our events, which no broker retains.
// docs/adr/0041-home-assistant.md has the design and its reasons.
package homeassistant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// Config is what Home Assistant gets.
type Config struct {
	// Discovery makes everything known; without it, what was made known before is removed.
	Discovery bool
	// Images publishes the last image of each device as a thumbnail.
	Images bool
	// Commands are those that get a button, as in {"cmd":"open"}, where the device's dialect has them.
	Commands []string
	// MaxDevices is the maximum number of devices that are made known.
	MaxDevices int
}

// DefaultConfig makes nothing known.
func DefaultConfig() Config { return Config{MaxDevices: 500} }

const (
	// maxCommands is the maximum number of buttons of a device.
	maxCommands = 20
	// maxFields is the maximum number of entities of a sensor.
	maxFields = 100
)

var validCommand = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// Validate reports every invalid setting at once, each with its name.
func (c Config) Validate() error {
	var errs []error
	for _, command := range c.Commands {
		if !validCommand.MatchString(command) {
			errs = append(errs, fmt.Errorf("commands must have 1 to 40 letters, digits, - and _ each, not %q", command))
		}
	}
	if len(c.Commands) > maxCommands {
		errs = append(errs, fmt.Errorf("commands must be at most %d, not %d", maxCommands, len(c.Commands)))
	}
	if c.MaxDevices < 1 || c.MaxDevices > 10_000 {
		errs = append(errs, fmt.Errorf("max_devices must be 1 to 10000, not %d", c.MaxDevices))
	}
	return errors.Join(errs...)
}

// Parts are the dependencies of an Announcer.
type Parts struct {
	Broker Broker
	Node   Node
	Topics Topics
	// Devices returns every known terminal and camera; nil for none.
	Devices func(context.Context) ([]edgelens.Device, error)
	// Series returns the series of every sensor, also of earlier runs: those of edgelens itself are left out here.
	Series func(context.Context) ([]edgelens.Series, error)
	// States returns what the images of places show, with the labels that each may have; nil for none.
	States func(context.Context) ([]edgelens.State, error)
	// State returns how the node is.
	State func(context.Context) NodeState
	// Commander sends commands; nil for none.
	Commander Commander
	// File keeps what was made known, and what a user has deleted in Home Assistant.
	File       string
	Log        *slog.Logger
	Registerer prometheus.Registerer
	// Timing is DefaultTiming, but in tests.
	Timing Timing
}

// Broker publishes messages.
type Broker interface {
	// Publish publishes a message at QoS 1, and returns once the broker has confirmed it.
	Publish(ctx context.Context, topic string, payload []byte, retain bool) error
}

// Node is this node.
type Node struct {
	// Name is its permanent name, of letters, digits and "-".
	Name string
	// Version is that of the program.
	Version string
	// URL is that of the page; empty where clients have no absolute one.
	URL string
	// Group is the group of nodes that share the terminals; empty for none.
	Group string
}

// Topics are those of the bridge that entities refer to.
type Topics struct {
	// Status is that of the node's presence.
	Status string
	// Availability and Events are those of a device, and Insights is the filter of those about a sensor.
	Availability, Events, Insights func(device string) string
}

// NodeState is how the node is.
type NodeState struct {
	// Problems are sentences on what is wrong.
	Problems []string
	// Queued are the jobs that wait, Undelivered the events that no sink has confirmed.
	Queued, Undelivered int64
	// Celsius is the temperature of the processor; nil where it is unknown.
	Celsius *float64
	// StartedAt is when the process started.
	StartedAt time.Time
}

// Commander sends commands to devices; terminal.Bridge is one.
type Commander interface {
	// CheckCommand returns an error for a command that the device cannot get.
	CheckCommand(device string, body json.RawMessage) error
	// Send queues a command, and keeps its outcome.
	Send(ctx context.Context, device string, body json.RawMessage, ttl time.Duration) (edgelens.Command, error)
}

// Timing is how fast an Announcer works.
type Timing struct {
	// Refresh is the interval of the looks for changes.
	Refresh time.Duration
	// Debounce is the minimum time from a change to its message, and between two messages about one device: of two in
	// quick succession, the second reaches only the first component of the device.
	Debounce time.Duration
	// BirthJitter is the maximum additional wait after Home Assistant has started.
	BirthJitter time.Duration
	// Pace is the time between two messages.
	Pace time.Duration
	// Values is the minimum time between two messages with the values of a device.
	Values time.Duration
	// Settle is how long after a connect the nodes of a group learn of each other, before one makes the shared devices known.
	Settle time.Duration
	// Absence is how long after the start a device of the last run may still be unknown before it is removed: one that
	// only sends heartbeats is not stored.
	Absence time.Duration
	// Retry is the wait after a failure to publish.
	Retry time.Duration
}

// DefaultTiming makes a change known in some seconds, and 200 devices in about ten.
func DefaultTiming() Timing {
	return Timing{
		Refresh: 3 * time.Second, Debounce: 500 * time.Millisecond, BirthJitter: 3 * time.Second, Pace: 20 * time.Millisecond,
		Values: 5 * time.Second, Settle: 2 * time.Second, Absence: 10 * time.Minute, Retry: 5 * time.Second,
	}
}
