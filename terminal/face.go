// Package terminal is the MQTT face: what terminals and cameras say is made
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
	// maxLine is how many messages of QoS 0 may wait of one device, and
	// maxLinesBytes how many bytes of all.
	maxLine       = 64
	maxLinesBytes = 64 << 20
	// takers is how many devices' messages are decoded and made durable at a
	// time. The ledger writes what comes together at once.
	takers = 8
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

// Parts are what the face is made of.
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
	// BrokerTells is set where the broker is a mosquitto that lets us read how it is
	// ($SYS), as a private one does.
	BrokerTells bool
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

// Face is the MQTT face, between Start and Stop. It is safe for use by many
// goroutines.
type Face struct {
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
	// hearingSince is since when up has been connected; nil where it is not.
	hearingSince atomic.Pointer[time.Time]
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
func New(ctx context.Context, config Config, parts Parts) (*Face, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("set up the MQTT face: %w: %w", edgelens.ErrInvalid, err)
	}
	f := &Face{
		config: config, parts: parts, log: parts.Log, now: time.Now, limiter: newLimiter(),
		notUnderstood: newNotUnderstood(maxNotUnderstood), foreign: newNotUnderstood(maxForeign),
		registry: newRegistry(config, parts.Dialects, parts.Zone), lines: newLines(maxLine, maxLinesBytes), matcher: parts.Dialects,
		begun: make(chan struct{}), stopping: make(chan struct{}), commandsDue: make(chan struct{}, 1), availabilityDue: make(chan struct{}, 1), availability: newAvailabilities(),
	}
	devices, err := parts.Devices.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up the MQTT face: %w", err)
	}
	f.registry.load(devices, f.now())
	f.metrics = newMetrics(parts.Registerer)
	f.answers = newAnswers(f.metrics, f.publishAnswer)
	f.observe(parts.Registerer)
	return f, nil
}

// Start begins to connect, and returns without waiting for it. Stop must follow.
func (f *Face) Start() error {
	address, err := session.ParseAddress(f.config.URL, f.config.CAFile)
	if err != nil {
		return fmt.Errorf("start the MQTT face: %w: the broker's address %w", edgelens.ErrInvalid, err)
	}
	status := session.Outgoing{Topic: f.statusTopic(), Payload: []byte(sayOffline), QoS: 1, Retain: true}
	speaking := session.Config{Address: address, ClientID: f.clientID(speaker), Name: f.clientName(speaker), Will: &status, OnUp: f.speak}
	if f.parts.BrokerTells {
		// Not on the connection that hears: it may be at its bound just then.
		speaking.Subscriptions, speaking.OnMessage = []session.Subscription{{Filter: topicDropped}}, f.droppedAtBroker
	}
	down, err := session.Start(speaking, f.log)
	if err != nil {
		return err
	}
	f.down.Store(down)
	close(f.begun)
	taking, stopTaking := context.WithCancel(context.Background())
	writing, abandon := context.WithCancel(context.Background())
	ctx, stop := context.WithCancel(context.Background())
	f.stopTaking, f.abandon, f.stop = stopTaking, abandon, stop
	for range takers {
		f.taking.Go(func() { f.take(taking, writing) })
	}
	for range answerers {
		f.running.Go(func() { f.answers.send(ctx) })
	}
	f.running.Go(func() { f.sendCommands(ctx) })
	f.running.Go(func() { f.tellAvailability(ctx) })
	f.running.Go(func() { f.keepDevices(ctx) })
	keep := lasting
	if f.config.Group != "" {
		keep = groupLasting
	}
	up, err := session.Start(session.Config{
		Address: address, ClientID: f.clientID(hearer), Name: f.clientName(hearer), Lasting: keep,
		ReceiveMaximum: receiveMaximum, MaxPacketBytes: uint32(f.config.MaxMessageBytes), // at most 256 MiB, as Validate says
		Subscriptions: f.subscriptions(), OnMessage: f.heard, Marker: markerTopic(f.parts.Node),
		OnUp: f.listen,
	}, f.log)
	if err != nil {
		return errors.Join(err, f.Stop(context.Background()))
	}
	f.up.Store(up)
	if f.parts.FormerSessionEmptied != nil {
		f.running.Go(func() { f.emptyFormer(ctx, address, keep) })
	}
	return nil
}

// Which connection a client id is of.
const (
	hearer  = "up"
	speaker = "down"
)

// clientID returns the client id of one of our connections.
func (f *Face) clientID(of string) string {
	if f.parts.ClientSecret == "" {
		return f.clientName(of)
	}
	return "edgelens-" + f.parts.Node + "-" + f.parts.ClientSecret + "-" + of
}

// clientName is the client id for a log, without the secret.
func (f *Face) clientName(of string) string { return "edgelens-" + f.parts.Node + "-" + of }

// subscriptions are those of the dialects; in a group each message goes to one
// of the nodes.
func (f *Face) subscriptions() []session.Subscription {
	var all []session.Subscription
	for _, d := range f.parts.Dialects {
		for _, subscription := range d.Subscriptions() {
			filter := subscription.Filter
			if f.config.Group != "" && !subscription.Everywhere {
				filter = "$share/" + f.config.Group + "/" + filter
			}
			all = append(all, session.Subscription{Filter: filter, QoS: 1})
		}
	}
	if f.config.Group != "" {
		all = append(all, session.Subscription{Filter: seenTopic("+")})
	}
	return all
}

// statusTopic is one for each node of a group, for none can speak for all.
func (f *Face) statusTopic() string {
	if f.config.Group != "" {
		return topicStatus + "/" + f.parts.Node
	}
	return topicStatus
}

// speak is called whenever there is a connection to speak on: a broker that
// forgot is told again.
func (f *Face) speak(ctx context.Context) {
	<-f.begun
	if err := f.retain(ctx, f.statusTopic(), sayOnline); err != nil && ctx.Err() == nil {
		f.log.Warn("publish the status", "error", err)
	}
	f.availability.all(f.registry.list())
	wake(f.availabilityDue)
	wake(f.commandsDue)
}

// listen notes since when there is a connection to hear on, until it ends.
func (f *Face) listen(connection context.Context) {
	since := f.now()
	f.hearingSince.Store(&since)
	context.AfterFunc(connection, func() { f.hearingSince.CompareAndSwap(&since, nil) })
	wake(f.commandsDue)
}

// keepDevices notices who is silent, and saves what changed.
func (f *Face) keepDevices(ctx context.Context) {
	tick := time.NewTicker(expireInterval)
	defer tick.Stop()
	saved := f.now()
	for {
		select {
		case <-f.registry.changed:
		case <-tick.C:
			f.registry.expire(f.now())
		case <-ctx.Done():
			return
		}
		all := f.now().Sub(saved) >= saveInterval
		if all {
			saved = f.now()
		}
		f.saveDevices(ctx, all)
	}
}

func (f *Face) saveDevices(ctx context.Context, all bool) {
	devices := f.registry.takeDirty(all)
	if len(devices) == 0 {
		return
	}
	f.availability.changed(devices)
	wake(f.availabilityDue)
	if err := f.parts.Devices.SaveDevices(ctx, devices...); err != nil {
		f.registry.notSaved(devices)
		if suppressed, ok := f.limiter.pass("save devices", f.now()); ok && ctx.Err() == nil {
			f.log.Warn("save what is known of devices; it is tried again", "devices", len(devices), "suppressed", suppressed, "error", err)
		}
	}
}

// Connected reports whether there is a connection to the broker.
func (f *Face) Connected() bool {
	up := f.up.Load()
	return up != nil && up.Up() && f.speaking()
}

// speaking reports whether something can be published.
func (f *Face) speaking() bool {
	down := f.down.Load()
	return down != nil && down.Up()
}

// publish is session.Session.Publish on the connection that speaks.
func (f *Face) publish(ctx context.Context, message session.Outgoing) error {
	down := f.down.Load()
	if down == nil {
		return session.ErrOffline
	}
	return down.Publish(ctx, message)
}

// Stop hears nothing more, makes durable what it has heard, says that it goes
// and disconnects, until ctx ends: what is not confirmed then comes again.
// Sinks must have been stopped before.
func (f *Face) Stop(ctx context.Context) error {
	close(f.stopping)
	var faults []error
	if up := f.up.Load(); up != nil {
		if f.config.Group != "" && up.Up() {
			faults = append(faults, up.Unsubscribe(ctx))
		}
		faults = append(faults, up.Stop(ctx))
	}
	f.stopTaking()
	giveUp := context.AfterFunc(ctx, f.abandon)
	f.taking.Wait()
	giveUp()
	f.abandon()
	f.stop()
	f.running.Wait()
	f.answers.drain(ctx)
	f.saveDevices(ctx, true)
	if f.speaking() {
		faults = append(faults, f.retain(ctx, f.statusTopic(), sayOffline))
	}
	faults = append(faults, f.down.Load().Stop(ctx))
	return errors.Join(faults...)
}

// wake puts a token into a channel that has room for one.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
