// Package terminal is the MQTT bridge: what terminals and cameras say is made
// durable, acknowledged, and only then looked at; what became of it is
// published; commands go down to them. docs/adr/0009-terminals.md says how it
// hangs together, 0010 why there are two connections.
//
// What a family of terminals speaks is a dialect's business (terminal/dialect).
// No topic leaves this package and the dialects.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/notify/event"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

const (
	// receiveMaximum is how many messages of QoS 1 may be unconfirmed at a time.
	receiveMaximum = 16
	// maxQueued is how many messages of QoS 0 may wait of one device, and
	// maxQueuedBytes how many bytes of all.
	maxQueued      = 64
	maxQueuedBytes = 64 << 20
	// ingestWorkers is how many devices' messages are decoded and made durable at a
	// time. The ledger writes what comes together at once.
	ingestWorkers = 8
	// lasting is how long the broker keeps for us what comes while we are away,
	// and groupLasting how long in a group. Mosquitto goes on giving a member that
	// died its share; after this time the others get it.
	lasting      = 7 * 24 * time.Hour
	groupLasting = 10 * time.Minute
	// saveInterval is how often counters and times of devices are saved;
	// changes of their state are at once.
	saveInterval = 30 * time.Second
	// expireInterval is how often silent devices are looked for.
	expireInterval = time.Second
)

// Parts are what the bridge is made of.
type Parts struct {
	Dialects []dialect.Dialect
	Records  Records
	Devices  Devices
	Commands Commands
	// Routes says who is to be told of a record.
	Routes func(*edgelens.Record) []edgelens.Route
	// Zone tells the zone of a device's clock where its own settings do not; nil is
	// this machine's.
	Zone clock.Zone
	// Composer writes the events that are published.
	Composer event.Composer
	// BrokerReportsDrops is set where the broker is a mosquitto that lets us read how it is
	// ($SYS), as a private one does.
	BrokerReportsDrops bool
	// ClientSecret is part of our client ids on a private broker, where anybody could take
	// them else, and with them what the broker keeps for us; empty on others, where
	// operators have rules for client ids.
	ClientSecret string
	// FormerSessionEmptied is called once the session has been emptied that earlier
	// versions had, whose client id had no secret; nil where there is none.
	FormerSessionEmptied func() error
	// Node is this node's lasting name.
	Node       string
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Bridge is the MQTT bridge, between Start and Stop. It is safe for use by many
// goroutines.
type Bridge struct {
	config   Config
	parts    Parts
	log      *slog.Logger
	metrics  *metrics
	registry *registry
	lines    *lines
	answers  *answers
	limiter  *limiter
	// notUnderstood is what was not understood of devices, foreign on which topics there
	// is what no dialect has.
	notUnderstood, foreign *notUnderstood
	now                    func() time.Time
	matcher                matcher

	// up hears, down speaks; nil before Start.
	up, down atomic.Pointer[session.Session]
	// subscribedSince is since when up has been connected; nil where it is not.
	subscribedSince atomic.Pointer[time.Time]
	// brokerDrops is how many messages the broker has dropped, as it said last.
	brokerDrops atomic.Uint64
	// begun is closed once down is there, stopping when Stop is called.
	begun, stopping chan struct{}
	// commandsDue holds a token where there may be commands to send, and
	// availabilityDue where availability is to be published.
	commandsDue     chan struct{}
	availabilityDue chan struct{}
	availability    *availabilities

	// stopTaking ends the takers once nothing is left, stop everything else.
	stopTaking, stop context.CancelFunc
	// abandon ends what takers try to write.
	abandon context.CancelFunc
	taking  sync.WaitGroup
	running sync.WaitGroup
}

// New returns a face that is not connected yet, with the devices that are known.
// The error is that of config.Validate, or of what keeps the devices.
func New(ctx context.Context, config Config, parts Parts) (*Bridge, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("set up the MQTT bridge: %w: %w", edgelens.ErrInvalid, err)
	}
	f := &Bridge{
		config: config, parts: parts, log: parts.Log, now: time.Now, limiter: newLimiter(),
		notUnderstood: newNotUnderstood(maxNotUnderstood), foreign: newNotUnderstood(maxForeign),
		registry: newRegistry(config, parts.Dialects, parts.Zone), lines: newDeviceQueues(maxQueued, maxQueuedBytes), matcher: parts.Dialects,
		begun: make(chan struct{}), stopping: make(chan struct{}), commandsDue: make(chan struct{}, 1), availabilityDue: make(chan struct{}, 1), availability: newAvailabilities(),
	}
	devices, err := parts.Devices.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up the MQTT bridge: %w", err)
	}
	f.registry.load(devices, f.now())
	f.metrics = newMetrics(parts.Registerer)
	f.answers = newAnswers(f.metrics, f.publishAnswer)
	f.observe(parts.Registerer)
	return f, nil
}

// Start begins to connect, and returns without waiting for it. Stop must follow.
func (b *Bridge) Start() error {
	address, err := session.ParseAddress(b.config.URL, b.config.CAFile)
	if err != nil {
		return fmt.Errorf("start the MQTT bridge: %w: the broker's address %w", edgelens.ErrInvalid, err)
	}
	status := session.Outgoing{Topic: b.statusTopic(), Payload: []byte(statusOffline), QoS: 1, Retain: true}
	downConfig := session.Config{Address: address, ClientID: b.clientID(downlink), Name: b.clientName(downlink), Will: &status, OnUp: b.onDownlinkUp}
	if b.parts.BrokerReportsDrops {
		// Not on the connection that hears: it may be at its bound just then.
		downConfig.Subscriptions, downConfig.OnMessage = []session.Subscription{{Filter: topicDropped}}, b.droppedAtBroker
	}
	down, err := session.Start(downConfig, b.log)
	if err != nil {
		return err
	}
	b.down.Store(down)
	close(b.begun)
	taking, stopTaking := context.WithCancel(context.Background())
	writing, abandon := context.WithCancel(context.Background())
	ctx, stop := context.WithCancel(context.Background())
	b.stopTaking, b.abandon, b.stop = stopTaking, abandon, stop
	for range ingestWorkers {
		b.taking.Go(func() { b.take(taking, writing) })
	}
	for range answerers {
		b.running.Go(func() { b.answers.send(ctx) })
	}
	b.running.Go(func() { b.sendCommands(ctx) })
	b.running.Go(func() { b.publishAvailability(ctx) })
	b.running.Go(func() { b.keepDevices(ctx) })
	keep := lasting
	if b.config.Group != "" {
		keep = groupLasting
	}
	up, err := session.Start(session.Config{
		Address: address, ClientID: b.clientID(uplink), Name: b.clientName(uplink), Lasting: keep,
		ReceiveMaximum: receiveMaximum, MaxPacketBytes: uint32(b.config.MaxMessageBytes), // at most 256 MiB, as Validate says
		Subscriptions: b.subscriptions(), OnMessage: b.onMessage, Marker: markerTopic(b.parts.Node),
		OnUp: b.listen,
	}, b.log)
	if err != nil {
		return errors.Join(err, b.Stop(context.Background()))
	}
	b.up.Store(up)
	if b.parts.FormerSessionEmptied != nil {
		b.running.Go(func() { b.emptyFormer(ctx, address, keep) })
	}
	return nil
}

// Which connection a client id is of.
const (
	uplink   = "up"
	downlink = "down"
)

// clientID returns the client id of one of our connections.
func (b *Bridge) clientID(of string) string {
	if b.parts.ClientSecret == "" {
		return b.clientName(of)
	}
	return "edgelens-" + b.parts.Node + "-" + b.parts.ClientSecret + "-" + of
}

// clientName is the client id for a log, without the secret.
func (b *Bridge) clientName(of string) string { return "edgelens-" + b.parts.Node + "-" + of }

// subscriptions are those of the dialects; in a group each message goes to one
// of the nodes.
func (b *Bridge) subscriptions() []session.Subscription {
	var all []session.Subscription
	for _, d := range b.parts.Dialects {
		for _, subscription := range d.Subscriptions() {
			filter := subscription.Filter
			if b.config.Group != "" && !subscription.Everywhere {
				filter = "$share/" + b.config.Group + "/" + filter
			}
			all = append(all, session.Subscription{Filter: filter, QoS: 1})
		}
	}
	if b.config.Group != "" {
		all = append(all, session.Subscription{Filter: seenTopic("+")})
	}
	return all
}

// statusTopic is one for each node of a group, for none can speak for all.
func (b *Bridge) statusTopic() string {
	if b.config.Group != "" {
		return topicStatus + "/" + b.parts.Node
	}
	return topicStatus
}

// onDownlinkUp is called whenever there is a connection to speak on: a broker that
// forgot is told again.
func (b *Bridge) onDownlinkUp(ctx context.Context) {
	<-b.begun
	if err := b.retain(ctx, b.statusTopic(), statusOnline); err != nil && ctx.Err() == nil {
		b.log.Warn("publish the status", "error", err)
	}
	b.availability.all(b.registry.list())
	wake(b.availabilityDue)
	wake(b.commandsDue)
}

// listen notes since when there is a connection to hear on, until it ends.
func (b *Bridge) listen(connection context.Context) {
	since := b.now()
	b.subscribedSince.Store(&since)
	context.AfterFunc(connection, func() { b.subscribedSince.CompareAndSwap(&since, nil) })
	wake(b.commandsDue)
}

// keepDevices notices who is silent, and saves what changed.
func (b *Bridge) keepDevices(ctx context.Context) {
	tick := time.NewTicker(expireInterval)
	defer tick.Stop()
	saved := b.now()
	for {
		select {
		case <-b.registry.changed:
		case <-tick.C:
			b.registry.expire(b.now())
		case <-ctx.Done():
			return
		}
		all := b.now().Sub(saved) >= saveInterval
		if all {
			saved = b.now()
		}
		b.saveDevices(ctx, all)
	}
}

func (b *Bridge) saveDevices(ctx context.Context, all bool) {
	devices := b.registry.takeDirty(all)
	if len(devices) == 0 {
		return
	}
	b.availability.changed(devices)
	wake(b.availabilityDue)
	if err := b.parts.Devices.SaveDevices(ctx, devices...); err != nil {
		b.registry.notSaved(devices)
		if suppressed, ok := b.limiter.pass("save devices", b.now()); ok && ctx.Err() == nil {
			b.log.Warn("save what is known of devices; it is tried again", "devices", len(devices), "suppressed", suppressed, "error", err)
		}
	}
}

// Connected reports whether there is a connection to the broker.
func (b *Bridge) Connected() bool {
	up := b.up.Load()
	return up != nil && up.Up() && b.downConfig()
}

// downConfig reports whether something can be published.
func (b *Bridge) downConfig() bool {
	down := b.down.Load()
	return down != nil && down.Up()
}

// publish is session.Session.Publish on the connection that speaks.
func (b *Bridge) publish(ctx context.Context, message session.Outgoing) error {
	down := b.down.Load()
	if down == nil {
		return session.ErrOffline
	}
	return down.Publish(ctx, message)
}

// Stop hears nothing more, makes durable what it has heard, says that it goes
// and disconnects, until ctx ends: what is not confirmed then comes again.
// Sinks must have been stopped before.
func (b *Bridge) Stop(ctx context.Context) error {
	close(b.stopping)
	var errs []error
	if up := b.up.Load(); up != nil {
		if b.config.Group != "" && up.Up() {
			errs = append(errs, up.Unsubscribe(ctx))
		}
		errs = append(errs, up.Stop(ctx))
	}
	b.stopTaking()
	giveUp := context.AfterFunc(ctx, b.abandon)
	b.taking.Wait()
	giveUp()
	b.abandon()
	b.stop()
	b.running.Wait()
	b.answers.drain(ctx)
	b.saveDevices(ctx, true)
	if b.downConfig() {
		errs = append(errs, b.retain(ctx, b.statusTopic(), statusOffline))
	}
	errs = append(errs, b.down.Load().Stop(ctx))
	return errors.Join(errs...)
}

// wake puts a token into a channel that has room for one.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
