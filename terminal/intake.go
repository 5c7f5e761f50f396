package terminal

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/session"
)

const (
	// small is the size in bytes up to which a message is decoded on reception:
	// heartbeats must not wait for images.
	small = 4 << 10
	// maxQueued is the maximum number of queued messages of QoS 0 of one device, and
	// maxQueuedBytes the maximum total size of all queues.
	maxQueued      = 64
	maxQueuedBytes = 64 << 20
	// ingestWorkers is the number of devices whose messages are decoded and stored
	// concurrently. The ledger writes concurrent records in one transaction.
	ingestWorkers = 8
)

// intakeParts are the dependencies of the intake.
type intakeParts struct {
	common
	envelopes     Envelopes
	dialects      matcher
	registry      *registry
	clocks        *clocks
	presence      *presence
	records       *recordKeeper
	commander     *commander
	notUnderstood *notUnderstood
	// certified reports whether a device is believed.
	certified func(device string) bool
	// stopping is closed when the bridge stops.
	stopping <-chan struct{}
}

// intake receives messages, decodes them by the dialect of their topic, and passes their
// content on: a record to the record keeper, a reply to the commander, anything else to
// presence. What takes time waits in a queue of its device. It is safe for use by many
// goroutines.
type intake struct {
	intakeParts
	queues *deviceQueues
	// ingesting are the workers; stopIngest ends them once the queues are empty, abandon
	// aborts their writes. Both are nil before start.
	ingesting           sync.WaitGroup
	stopIngest, abandon context.CancelFunc
}

func newIntake(parts intakeParts, registerer prometheus.Registerer) *intake {
	i := &intake{intakeParts: parts, queues: newDeviceQueues(maxQueued, maxQueuedBytes)}
	registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "edgelens_mqtt_waiting", Help: "Messages of terminals that wait to be stored.",
	}, func() float64 { return float64(i.queues.waiting()) }))
	return i
}

// start starts the workers; stop must follow.
func (i *intake) start() {
	ingesting, stopIngest := context.WithCancel(context.Background())
	writing, abandon := context.WithCancel(context.Background())
	i.stopIngest, i.abandon = stopIngest, abandon
	for range ingestWorkers {
		i.ingesting.Go(func() { i.ingest(ingesting, writing) })
	}
}

// stop ends the workers once the queues are empty, and aborts their writes when ctx ends.
// No message may be received any more.
func (i *intake) stop(ctx context.Context) {
	i.stopIngest()
	giveUp := context.AfterFunc(ctx, i.abandon)
	i.ingesting.Wait()
	giveUp()
	i.abandon()
}

// onMessage is called for each message, one at a time. It blocks only where the queues are
// full and nothing may be dropped: then the broker has to wait. We announce a Receive
// Maximum; mosquitto 2.0.11 exceeds it under load (measured: 800 instead of 16).
func (i *intake) onMessage(m session.Message) {
	d, device := i.dialects.match(m.Topic)
	if d == nil {
		i.onOtherTopic(m)
		m.Ack()
		return
	}
	msg := item{Message: m, dialect: d, device: device, receivedAt: i.now()}
	if len(m.Payload) == 0 {
		i.notUnderstood.empty(msg)
		m.Ack()
		return
	}
	if i.envelopes.IsSealed(m.Payload) { // it takes time
		msg.sealed = true
		i.enqueue(msg)
		return
	}
	if device != "" && !i.certified(device) { // before it costs anything
		i.notUnderstood.uncertified(msg, device)
		m.Ack()
		return
	}
	if len(m.Payload) <= small {
		reading, err := i.decode(msg)
		if err != nil {
			i.notUnderstood.malformed(msg, err)
			m.Ack()
			return
		}
		if !slices.ContainsFunc(reading.Messages, isDurable) {
			if !i.unproven(msg, reading) {
				for _, message := range reading.Messages {
					if i.believed(msg, message) {
						i.presence.onSign(msg, message)
					}
				}
			}
			i.notUnderstood.inPart(msg, reading)
			m.Ack()
			return
		}
		msg.decoded = &reading
	}
	i.enqueue(msg)
}

// enqueue appends a message to the queue of its device, so that no device waits for another.
func (i *intake) enqueue(msg item) {
	queue := msg.dialect.Name() + " " + msg.device
	if msg.QoS > 0 {
		i.queues.pushBlocking(i.stopping, queue, msg)
		return
	}
	if !i.queues.push(queue, msg) {
		i.traffic.drop(dropQueueFull)
		i.registry.count(msg.device, func(c *edgelens.DeviceCounters) { c.Lost++ })
		i.warn(msg, "a message was dropped: the queue of the device is full; the device should use QoS 1, or resend", nil)
	}
}

// isDurable reports whether a message must be stored, which takes time.
func isDurable(message dialect.Message) bool {
	return message.Kind == dialect.Records || message.Kind == dialect.Reply
}

// decode decodes a message.
func (i *intake) decode(msg item) (wire.Reading, error) {
	return wire.Decode(msg.dialect, msg.Topic, msg.Payload, dialect.Hints{
		ReceivedAt: msg.receivedAt.In(i.clocks.zoneOf(msg.device)), Charset: i.registry.settings(msg.device).Charset,
	})
}

// onOtherTopic handles a message on a topic of no dialect.
func (i *intake) onOtherTopic(m session.Message) {
	if !strings.HasPrefix(m.Topic, topicOurs) {
		i.notUnderstood.foreignTopic(m)
		return
	}
	i.presence.onAnnouncement(m)
}

// ingest processes queued messages until the queues are empty and ingesting has ended.
// writing bounds its writes.
func (i *intake) ingest(ingesting, writing context.Context) {
	for {
		queue, msg, ok := i.queues.take(ingesting)
		if !ok {
			return
		}
		if i.processAny(writing, msg) {
			msg.Ack()
		}
		i.queues.release(queue, msg)
	}
}

// process handles a message, and reports whether it may be acknowledged: if not, the broker
// must send it again.
func (i *intake) process(ctx context.Context, msg item) bool {
	if msg.decoded == nil {
		reading, err := i.decode(msg)
		if err != nil {
			i.notUnderstood.malformed(msg, err)
			return true
		}
		msg.decoded = &reading
	}
	if i.unproven(msg, *msg.decoded) {
		return true
	}
	if msg.proven != "" {
		i.traffic.envelope(envelopeOpened)
	}
	for _, message := range msg.decoded.Messages {
		if !i.believed(msg, message) {
			continue
		}
		switch message.Kind {
		case dialect.Records:
			if !i.records.onRecords(ctx, msg, message) {
				return false
			}
		case dialect.Reply:
			i.commander.onReply(ctx, msg, message)
		default:
			i.presence.onSign(msg, message)
		}
	}
	i.notUnderstood.inPart(msg, *msg.decoded)
	return true
}
