// Package terminal is the MQTT bridge. It stores the messages of terminals and cameras,
// acknowledges them, and only then has their images recognized; it publishes the results
// and sends commands to the devices. docs/adr/0009-terminals.md describes the design, 0010
// the reason for two connections.
//
// The protocol of a family of terminals is its dialect (terminal/dialect). Topics are known
// to this package and the dialects only.
package terminal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/loglimit"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

// Parts are the dependencies of the bridge.
type Parts struct {
	Dialects []dialect.Dialect
	Records  Records
	Devices  Devices
	Commands Commands
	// Envelopes opens sealed messages; nil: there are none.
	Envelopes Envelopes
	// Routes returns the sinks of a record.
	Routes func(*edgelens.Record) []edgelens.Route
	// Zone returns the zone of a device's clock where its own settings have none; nil is
	// this machine's.
	Zone clock.Zone
	// Composer writes the events that are published.
	Composer event.Composer
	// Tracer records the reception of records; nil for none.
	Tracer edgelens.Tracer
	// BrokerReportsDrops is set where the broker is a mosquitto whose status ($SYS) we may
	// read, such as a private one.
	BrokerReportsDrops bool
	// ClientSecret is part of our client ids on a private broker, where any client could
	// take them otherwise, and with them the messages that the broker keeps for us; empty
	// on other brokers, whose operators have rules for client ids.
	ClientSecret string
	// FormerSessionEmptied is called once the session of earlier versions, whose client id
	// had no secret, has been emptied; nil where there is none.
	FormerSessionEmptied func() error
	// Certified reports whether a device has a certificate that can be used, with Config.RequireCertificate; nil: none has.
	Certified func(device string) bool
	// Node is this node's persistent name.
	Node       string
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Bridge is the MQTT bridge, between Start and Stop. It is safe for use by many
// goroutines.
//
// It owns the two connections and the parts that work over them: the intake of messages,
// with the record keeper, the commander, and presence.
type Bridge struct {
	common
	parts       Parts
	connections connections
	// up receives; nil before Start.
	up       atomic.Pointer[session.Session]
	downlink *downlink

	registry       *registry
	presence       *presence
	availabilities *availabilities
	states         *states
	intake         *intake
	notUnderstood  *notUnderstood
	commander      *commander
	answers        *answers

	// stopping is closed when Stop is called.
	stopping chan struct{}
	// stop ends the goroutines of running; nil before Start.
	stop    context.CancelFunc
	running sync.WaitGroup
}

// New returns a bridge that is not connected yet, with the saved devices. The error is
// that of config.Validate, or of loading the devices.
func New(ctx context.Context, config Config, parts Parts) (*Bridge, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("set up the MQTT bridge: %w: %w", edgelens.ErrInvalid, err)
	}
	saved, err := parts.Devices.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up the MQTT bridge: %w", err)
	}
	metrics := parts.Registerer
	b := &Bridge{
		common: common{config: config, tracer: cmp.Or[edgelens.Tracer](parts.Tracer, edgelens.Untraced{}), log: parts.Log, limiter: &loglimit.Limiter{}, traffic: newTraffic(metrics), now: time.Now},
		parts:  parts, connections: connections{config: config, dialects: parts.Dialects, node: parts.Node, secret: parts.ClientSecret},
		downlink: newDownlink(), stopping: make(chan struct{}),
	}
	clocks := newClocks(config, parts.Zone, parts.Log)
	b.registry = newRegistry(config, parts.Dialects, clocks, saved, b.now())
	b.answers = newAnswers(b.traffic, b.downlink)
	b.availabilities = newAvailabilities(b.downlink, b.traffic)
	b.states = newStates(b.downlink)
	b.presence = newPresence(presenceParts{
		common: b.common, store: parts.Devices, dialects: parts.Dialects, registry: b.registry, clocks: clocks, availabilities: b.availabilities, answers: b.answers,
	}, metrics)
	b.commander = newCommander(commanderParts{
		common: b.common, store: parts.Commands, dialects: parts.Dialects, registry: b.registry, presence: b.presence, downlink: b.downlink,
	})
	b.notUnderstood = newNotUnderstood(b.common, parts.Dialects, b.registry)
	records := newRecordKeeper(recordKeeperParts{
		common: b.common, store: parts.Records, routes: parts.Routes, registry: b.registry, clocks: clocks, presence: b.presence, answers: b.answers, stopping: b.stopping,
	}, metrics)
	b.intake = newIntake(intakeParts{
		envelopes: cmp.Or[Envelopes](parts.Envelopes, noEnvelopes{}), common: b.common, dialects: parts.Dialects, registry: b.registry, clocks: clocks, presence: b.presence, records: records,
		commander: b.commander, notUnderstood: b.notUnderstood, certified: parts.certifies(config), stopping: b.stopping,
	}, metrics)
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "edgelens_mqtt_connected", Help: "1 while there is a connection to the MQTT broker.",
	}, func() float64 {
		if b.Connected() {
			return 1
		}
		return 0
	}))
	return b, nil
}

// Connected reports whether there is a connection to the broker.
func (b *Bridge) Connected() bool {
	up := b.up.Load()
	return up != nil && up.Up() && b.downlink.isUp()
}

// TakenOver returns an error where another client uses our client id; nil where none is
// known to.
func (b *Bridge) TakenOver() error {
	up := b.up.Load()
	if up == nil {
		return b.downlink.takenOver()
	}
	return errors.Join(up.TakenOver(), b.downlink.takenOver())
}

// Events returns the sink that publishes to the broker. It works between Start and
// Stop.
func (b *Bridge) Events() notify.Sink {
	return &events{downlink: b.downlink, composer: b.parts.Composer, traffic: b.traffic, now: b.now}
}

// Devices returns every known device, by ID.
func (b *Bridge) Devices(context.Context) ([]edgelens.Device, error) { return b.registry.list(), nil }

// SealedOnly reports whether a device is set to send sealed messages only; one that is not known is not.
func (b *Bridge) SealedOnly(device string) bool { return b.registry.settings(device).SealedOnly }

// Device returns a device; edgelens.ErrNotFound for an unknown id.
func (b *Bridge) Device(_ context.Context, id string) (edgelens.Device, error) {
	device, err := b.registry.get(id)
	device.NotUnderstood = b.notUnderstood.of(id)
	return device, err
}

// ChangeDevice changes the state and the settings of a device from now on: all of the
// change or, with an error, nothing. Accepting a quarantined device releases its held
// records. Errors: edgelens.ErrNotFound, ErrInvalid, ErrDiskFull.
func (b *Bridge) ChangeDevice(ctx context.Context, id string, change edgelens.DeviceChange) (edgelens.Device, error) {
	return b.presence.change(ctx, id, change)
}

// ForgetDevice removes a device with its settings, commands and undelivered events, and cancels its queued images; if it
// sends another message, it is a new one. Errors: edgelens.ErrNotFound, ErrDiskFull.
func (b *Bridge) ForgetDevice(ctx context.Context, id string) error {
	return b.presence.remove(ctx, id)
}

// NotUnderstood returns the messages that were not understood since this process started,
// the latest first.
func (b *Bridge) NotUnderstood(context.Context) ([]edgelens.NotUnderstood, error) {
	return b.notUnderstood.list(), nil
}

// WrongClocks returns the accepted devices whose clocks are off by more than
// Config.ClockLimit, by id.
func (b *Bridge) WrongClocks() (devices []string) {
	for _, device := range b.registry.list() {
		if device.State == edgelens.DeviceAccepted && device.Clock.Problem != "" {
			devices = append(devices, device.ID)
		}
	}
	slices.Sort(devices)
	return devices
}

// Send queues a command for a device, in the device's own format; device "" is the
// one that Config.Default names, or else the only one that takes commands. ttl is how
// long it may be queued, 0 for Config.CommandTTL.
//
// Errors: edgelens.ErrNotFound for an unknown device, ErrInvalid for a command that its
// dialect cannot express, *edgelens.Busy for too many queued commands, ErrDiskFull.
func (b *Bridge) Send(ctx context.Context, device string, body json.RawMessage, ttl time.Duration) (edgelens.Command, error) {
	return b.commander.submit(ctx, device, body, ttl)
}

// CheckCommand returns the error that Send would return for the device and the command; it sends nothing.
func (b *Bridge) CheckCommand(device string, body json.RawMessage) error {
	return b.commander.check(device, body)
}

// StatusTopic returns the topic of this node's presence, retained: "online" or "offline".
func (b *Bridge) StatusTopic() string { return b.connections.statusTopic() }

// DefaultDevice returns the device of a command without one; edgelens.ErrNotFound if there is none.
func (b *Bridge) DefaultDevice(context.Context) (string, error) {
	_, device, err := b.commander.addressee("")
	return device, err
}

// Command returns a command; edgelens.ErrNotFound for an unknown id.
func (b *Bridge) Command(ctx context.Context, id string) (edgelens.Command, error) {
	return b.parts.Commands.Command(ctx, id)
}

// DeviceCommands returns the newest commands for a device, the newest first; edgelens.ErrNotFound for an unknown device.
func (b *Bridge) DeviceCommands(ctx context.Context, device string, limit int) ([]edgelens.Command, error) {
	if _, err := b.Device(ctx, device); err != nil {
		return nil, err
	}
	return b.parts.Commands.DeviceCommands(ctx, device, limit)
}
