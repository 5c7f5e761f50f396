// Package terminal is the MQTT bridge. It stores the messages of terminals and cameras,
// acknowledges them, and only then has their images recognized; it publishes the results
// and sends commands to the devices. docs/adr/0009-terminals.md describes the design, 0010
// the reason for two connections.
//
// The protocol of a family of terminals is its dialect (terminal/dialect). Topics are known
// to this package and the dialects only.
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
	"edgelens/internal/loglimit"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

const (
	// receiveMaximum is the maximum number of unacknowledged messages of QoS 1.
	receiveMaximum = 16
	// maxQueued is the maximum number of queued messages of QoS 0 of one device, and
	// maxQueuedBytes the maximum total size of all queues.
	maxQueued      = 64
	maxQueuedBytes = 64 << 20
	// ingestWorkers is the number of devices whose messages are decoded and stored
	// concurrently. The ledger writes concurrent records in one transaction.
	ingestWorkers = 8
	// lasting is how long the broker keeps our session while we are disconnected, and
	// groupLasting how long in a group. Mosquitto goes on sending a dead member its share;
	// after this time the other members get it.
	lasting      = 7 * 24 * time.Hour
	groupLasting = 10 * time.Minute
	// saveInterval is how often counters and times of devices are saved; changes of
	// their state are saved at once.
	saveInterval = 30 * time.Second
	// expireInterval is how often devices are checked for silence.
	expireInterval = time.Second
)

// Parts are the dependencies of the bridge.
type Parts struct {
	Dialects []dialect.Dialect
	Records  Records
	Devices  Devices
	Commands Commands
	// Routes returns the sinks of a record.
	Routes func(*edgelens.Record) []edgelens.Route
	// Zone returns the zone of a device's clock where its own settings have none; nil is
	// this machine's.
	Zone clock.Zone
	// Composer writes the events that are published.
	Composer event.Composer
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
	// Node is this node's persistent name.
	Node       string
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Bridge is the MQTT bridge, between Start and Stop. It is safe for use by many
// goroutines.
type Bridge struct {
	common
	parts    Parts
	dialects matcher
	metrics  *recordMetrics
	registry *registry
	queues   *deviceQueues
	answers  *answers
	// notUnderstood holds messages of devices that were not understood, foreign the topics
	// that no dialect uses.
	notUnderstood, foreign *notUnderstood

	// up receives; nil before Start.
	up       atomic.Pointer[session.Session]
	downlink *downlink
	// subscribedSince is the time since which up is connected; nil where it is not.
	subscribedSince atomic.Pointer[time.Time]
	// stopping is closed when Stop is called.
	stopping chan struct{}
	// commandsDue holds a token where commands may be waiting to be sent, and
	// availabilityDue where presence is to be published.
	commandsDue     chan struct{}
	availabilityDue chan struct{}
	availability    *availabilities

	// stopIngest ends the ingest workers once the queues are empty, stop everything else.
	stopIngest, stop context.CancelFunc
	// abandon aborts the writes of the ingest workers.
	abandon   context.CancelFunc
	ingesting sync.WaitGroup
	running   sync.WaitGroup
}

// New returns a bridge that is not connected yet, with the saved devices. The error is
// that of config.Validate, or of loading the devices.
func New(ctx context.Context, config Config, parts Parts) (*Bridge, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("set up the MQTT bridge: %w: %w", edgelens.ErrInvalid, err)
	}
	b := &Bridge{
		common: common{config: config, log: parts.Log, limiter: &loglimit.Limiter{}, now: time.Now},
		parts:  parts, dialects: parts.Dialects, downlink: newDownlink(),
		notUnderstood: newNotUnderstood(maxNotUnderstood), foreign: newNotUnderstood(maxForeign),
		registry: newRegistry(config, parts.Dialects, parts.Zone), queues: newDeviceQueues(maxQueued, maxQueuedBytes),
		stopping: make(chan struct{}), commandsDue: make(chan struct{}, 1), availabilityDue: make(chan struct{}, 1), availability: newAvailabilities(),
	}
	devices, err := parts.Devices.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up the MQTT bridge: %w", err)
	}
	b.registry.load(devices, b.now())
	b.traffic, b.metrics = newTraffic(parts.Registerer), newRecordMetrics(parts.Registerer)
	b.answers = newAnswers(b.traffic, b.downlink)
	b.observe(parts.Registerer)
	return b, nil
}

// Start begins to connect and returns without waiting for it. Stop must follow.
func (b *Bridge) Start() error {
	address, err := session.ParseAddress(b.config.URL, b.config.CAFile)
	if err != nil {
		return fmt.Errorf("start the MQTT bridge: %w: the broker's address %w", edgelens.ErrInvalid, err)
	}
	status := session.Outgoing{Topic: b.statusTopic(), Payload: []byte(statusOffline), QoS: 1, Retain: true}
	downConfig := session.Config{Address: address, ClientID: b.clientID(roleDown), Name: b.clientName(roleDown), Will: &status}
	if b.parts.BrokerReportsDrops {
		// Not on the receiving connection: it may be at its limit just then.
		downConfig.Subscriptions, downConfig.OnMessage = []session.Subscription{{Filter: topicDropped}}, (&brokerDrops{common: b.common}).onMessage
	}
	if err := b.downlink.start(downConfig, b.onDownlinkUp, b.log); err != nil {
		return err
	}
	ingesting, stopIngest := context.WithCancel(context.Background())
	writing, abandon := context.WithCancel(context.Background())
	ctx, stop := context.WithCancel(context.Background())
	b.stopIngest, b.abandon, b.stop = stopIngest, abandon, stop
	for range ingestWorkers {
		b.ingesting.Go(func() { b.ingest(ingesting, writing) })
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
		Address: address, ClientID: b.clientID(roleUp), Name: b.clientName(roleUp), Lasting: keep,
		ReceiveMaximum: receiveMaximum, MaxPacketBytes: uint32(b.config.MaxMessageBytes), // at most 256 MiB, as Validate checks
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

// The roles of our connections, as parts of client ids.
const (
	roleUp   = "up"
	roleDown = "down"
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

// subscriptions returns those of the dialects; in a group each message goes to one of the
// nodes.
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

// statusTopic is one topic per node in a group: no node can report for all.
func (b *Bridge) statusTopic() string {
	if b.config.Group != "" {
		return topicStatus + "/" + b.parts.Node
	}
	return topicStatus
}

// onDownlinkUp is called whenever the publishing connection is up: a broker may have lost
// the retained messages.
func (b *Bridge) onDownlinkUp(ctx context.Context) {
	if err := b.downlink.retain(ctx, b.statusTopic(), statusOnline); err != nil && ctx.Err() == nil {
		b.log.Warn("publishing the status failed", "error", err)
	}
	b.availability.all(b.registry.list())
	wake(b.availabilityDue)
	wake(b.commandsDue)
}

// listen stores the time since which the receiving connection is up, until it ends.
func (b *Bridge) listen(connection context.Context) {
	since := b.now()
	b.subscribedSince.Store(&since)
	context.AfterFunc(connection, func() { b.subscribedSince.CompareAndSwap(&since, nil) })
	wake(b.commandsDue)
}

// keepDevices marks silent devices offline, and saves changes.
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
		if suppressed, ok := b.limiter.Pass("save devices", b.now()); ok && ctx.Err() == nil {
			b.log.Warn("saving devices failed, retrying", "devices", len(devices), "suppressed", suppressed, "error", err)
		}
	}
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

// Stop unsubscribes, stores the received messages, publishes the status offline and
// disconnects, until ctx ends: unacknowledged messages are sent again after the next
// start. Sinks must have been stopped before.
func (b *Bridge) Stop(ctx context.Context) error {
	close(b.stopping)
	var errs []error
	if up := b.up.Load(); up != nil {
		if b.config.Group != "" && up.Up() {
			errs = append(errs, up.Unsubscribe(ctx))
		}
		errs = append(errs, up.Stop(ctx))
	}
	b.stopIngest()
	giveUp := context.AfterFunc(ctx, b.abandon)
	b.ingesting.Wait()
	giveUp()
	b.abandon()
	b.stop()
	b.running.Wait()
	b.answers.drain(ctx)
	b.saveDevices(ctx, true)
	if b.downlink.isUp() {
		errs = append(errs, b.downlink.retain(ctx, b.statusTopic(), statusOffline))
	}
	errs = append(errs, b.downlink.stop(ctx))
	return errors.Join(errs...)
}
