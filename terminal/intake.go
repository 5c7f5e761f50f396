package terminal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/session"
)

const (
	// small is up to what size a message is decoded where it comes in:
	// heartbeats must not wait for images.
	small = 4 << 10
	// announceInterval is how often nodes of a group tell one another of a
	// device.
	announceInterval = 10 * time.Second
	// The waits between attempts to make a record durable.
	minRetry, maxRetry = 100 * time.Millisecond, 5 * time.Second
	// repeats is from when on the same image of a camera is another record: a camera
	// sends a message again within seconds, and "no signal" looks the same an hour later.
	repeats = 30 * time.Second
	// onceTimeout is how long that is tried with a record of QoS 0, which
	// nobody but the device can send again, and triesOfUnknown how often where
	// the fault is none that is known to pass.
	onceTimeout    = 30 * time.Second
	triesOfUnknown = 10
)

// item is a message on its way into the ledger.
type item struct {
	session.Message
	dialect dialect.Dialect
	// device is the one in the topic, or empty.
	device     string
	receivedAt time.Time
	// decoded is set where it is decoded already.
	decoded *wire.Reading
}

func (i item) size() int64 { return int64(len(i.Payload)) }

// old reports whether the broker had kept it: for whoever comes, or for us while
// we were away for longer than fresh. It says nothing of now.
func (i item) old(fresh time.Duration) bool { return i.Retained || i.Waited > fresh }

// stored says in a sentence how the message came out of the broker's store; empty
// where it came at once.
func (i item) stored() string {
	switch {
	case i.Retained:
		return "The MQTT broker had retained the message."
	case i.Waited > 0:
		return "The message may have waited at the MQTT broker while edgelens was away."
	case i.Duplicate:
		return "The MQTT broker has sent the message again."
	default:
		return ""
	}
}

// onMessage is called for each message, one at a time. It does not block, but where
// what waits has reached its bound and none of it may be dropped: then the broker
// has to wait. It was told how many messages we take at a time; mosquitto 2.0.11
// does not keep to it under load (measured: 800 instead of 16).
func (b *Bridge) onMessage(m session.Message) {
	d, device := b.matcher.match(m.Topic)
	if d == nil {
		b.onOtherTopic(m)
		m.Ack()
		return
	}
	one := item{Message: m, dialect: d, device: device, receivedAt: b.now()}
	if len(m.Payload) == 0 {
		b.empty(one)
		m.Ack()
		return
	}
	if len(m.Payload) <= small {
		reading, err := b.decode(one)
		if err != nil {
			b.malformed(one, err)
			m.Ack()
			return
		}
		if !slices.ContainsFunc(reading.Messages, mustWait) {
			for _, message := range reading.Messages {
				b.presence(one, message)
			}
			b.account(one, reading)
			m.Ack()
			return
		}
		one.decoded = &reading
	}
	line := d.Name() + " " + device
	if m.QoS > 0 {
		b.lines.pushBlocking(b.stopping, line, one)
		return
	}
	if !b.lines.push(line, one) {
		b.metrics.drop(dropQueueFull)
		b.registry.count(device, func(c *edgelens.DeviceCounters) { c.Lost++ })
		b.warn(one, "a message was dropped: the device sends faster than can be taken; it should use QoS 1, or send again", nil)
	}
}

// mustWait reports whether a message takes time: it is made durable.
func mustWait(message dialect.Message) bool {
	return message.Kind == dialect.Records || message.Kind == dialect.Reply
}

// decode reads a message.
func (b *Bridge) decode(one item) (wire.Reading, error) {
	return wire.Decode(one.dialect, one.Topic, one.Payload, dialect.Hints{
		ReceivedAt: one.receivedAt.In(b.zoneOf(one.device)), Charset: b.registry.charsetOf(one.device),
	})
}

// onOtherTopic takes down what another node of the group says of a device.
func (b *Bridge) onOtherTopic(m session.Message) {
	device, ok := strings.CutPrefix(m.Topic, topicDevices)
	if !ok && !strings.HasPrefix(m.Topic, topicOurs) {
		b.foreignTopic(m)
	}
	if !ok || b.config.Group == "" || m.Retained {
		return
	}
	if device, ok = strings.CutSuffix(device, seen); ok && dialect.ValidDevice(device) && b.matcher.named(string(m.Payload)) != nil {
		b.registry.seenElsewhere(string(m.Payload), device, b.now())
	}
}

// droppedAtBroker takes down how many messages the broker has dropped in all.
func (b *Bridge) droppedAtBroker(m session.Message) {
	total, err := strconv.ParseUint(string(m.Payload), 10, 64)
	if err != nil {
		return
	}
	before := b.brokerDrops.Swap(total)
	if total < before {
		before = 0 // it has started anew
	}
	if total == before {
		return
	}
	b.metrics.dropMany(dropAtBroker, total-before)
	if suppressed, ok := b.limiter.pass("dropped at the broker", b.now()); ok {
		b.log.Error("the MQTT broker has dropped messages: more came than it keeps for one client. Records are lost where a terminal did not wait for our acknowledgement",
			"messages", total-before, "suppressed", suppressed)
	}
}

// take takes messages from the lines until there are none left and taking has
// ended. Writing bounds what is tried.
func (b *Bridge) take(taking, writing context.Context) {
	for {
		of, one, ok := b.lines.take(taking)
		if !ok {
			return
		}
		if b.process(writing, one) {
			one.Ack()
		}
		b.lines.release(of, one)
	}
}

// process does what a message asks for, and reports whether it is done with: if
// not, it must come again.
func (b *Bridge) process(ctx context.Context, one item) bool {
	if one.decoded == nil {
		reading, err := b.decode(one)
		if err != nil {
			b.malformed(one, err)
			return true
		}
		one.decoded = &reading
	}
	for _, message := range one.decoded.Messages {
		switch message.Kind {
		case dialect.Records:
			if !b.records(ctx, one, message) {
				return false
			}
		case dialect.Reply:
			b.reply(ctx, one, message)
		default:
			b.presence(one, message)
		}
	}
	b.account(one, *one.decoded)
	return true
}

// presence takes down what is no record, and answers it from memory.
func (b *Bridge) presence(one item, message dialect.Message) {
	b.metrics.count(in, one.dialect.Name(), message.Kind.String())
	if message.Device == "" || one.old(b.config.Fresh) {
		return
	}
	says := presenceOnline
	if message.Kind == dialect.Offline {
		says = presenceOffline
	}
	ok := b.noteSeen(one, message, says, func(c *edgelens.DeviceCounters) {
		switch message.Kind {
		case dialect.Heartbeat:
			c.Heartbeats++
		case dialect.Unknown:
			countUnknown(c, message.Name)
		}
	})
	if !ok {
		return
	}
	b.answers.put(one.dialect.Name(), kindAnswer, message.Answers)
	if message.Times != nil && one.stored() == "" {
		b.measure(message.Device, clock.FromHeartbeat, b.assess(one, message.Device, message.Times), one.receivedAt)
	}
}

// noteSeen takes down that a device said something, and reports whether something may
// come of it.
func (b *Bridge) noteSeen(one item, message dialect.Message, says presence, count func(*edgelens.DeviceCounters)) bool {
	state, err := b.registry.noteSeen(one.dialect.Name(), message.Device, one.receivedAt, says, count)
	if err != nil {
		b.metrics.drop(dropTooMany)
		b.warn(one, "a message was dropped", err)
		return false
	}
	if state == edgelens.DeviceRefused {
		b.metrics.count(in, one.dialect.Name(), kindRefused)
		return false
	}
	if b.config.Group != "" && says == presenceOnline && b.registry.announce(message.Device, one.receivedAt, announceInterval) {
		b.answers.put(one.dialect.Name(), kindAvailability, []dialect.Outgoing{{Topic: seenTopic(message.Device), Payload: []byte(one.dialect.Name())}})
	}
	return true
}

// records makes the records of a message durable, and confirms them.
func (b *Bridge) records(ctx context.Context, one item, message dialect.Message) bool {
	b.metrics.count(in, one.dialect.Name(), message.Kind.String())
	says := presenceOnline
	if one.old(b.config.Fresh) {
		says = presenceUnknown
	}
	if !b.noteSeen(one, message, says, func(*edgelens.DeviceCounters) {}) {
		return true
	}
	b.answers.put(one.dialect.Name(), kindAnswer, message.Answers)
	for _, entry := range message.Entries {
		verdict := b.assess(one, message.Device, entry.Times)
		reception := b.reception(one, message.Device, entry, verdict)
		what, err := b.keep(ctx, one, reception)
		if err != nil {
			return false
		}
		b.log.Info("record", "device", message.Device, "dialect", one.dialect.Name(), "kind", reception.Record.Kind, "record", reception.Record.ID,
			"bytes", reception.Record.ImageBytes, "freshness", reception.Record.Freshness, "why", reception.Record.FreshnessReason, "outcome", what)
		b.registry.count(message.Device, func(c *edgelens.DeviceCounters) {
			c.Records++
			if what == keptBefore {
				c.Duplicates++
			}
			if what == keptNever {
				c.Lost++
			}
			if what == keptNow {
				countTime(c, verdict.Problem)
				if reception.Record.Doubt != "" {
					c.UncertainVerdicts++
				}
				if entry.Undecoded {
					c.UndecodedTexts++
				}
			}
		})
		if what == keptNow {
			b.notice(one, reception.Record, verdict)
			if entry.Undecoded {
				b.metrics.notUnderstood.WithLabelValues(one.dialect.Name(), partText).Inc()
			}
		}
		if what != keptNever {
			b.answers.put(one.dialect.Name(), kindAck, entry.Acks)
		}
	}
	return true
}

func (b *Bridge) reception(one item, device string, entry dialect.Entry, verdict clock.Verdict) edgelens.Reception {
	record := entry.Record
	record.Dialect, record.Device, record.ReceivedAt, record.CapturedAt = one.dialect.Name(), device, one.receivedAt, verdict.At
	record.Freshness, record.FreshnessReason = freshness(one, entry.Record, verdict)
	record.Retained = one.stored() != ""
	if len(entry.Image) > 0 {
		digest := sha256.Sum256(entry.Image)
		record.ImageSHA256, record.ImageBytes = hex.EncodeToString(digest[:]), int64(len(entry.Image))
	}
	record.ID = edgelens.RecordID(record.Dialect, record.Device, record.Kind, record.Key, record.ImageSHA256)
	former, repeatsAfter := "", time.Duration(0)
	if entry.FormerKey != record.Key && !entry.Repeats {
		former = edgelens.RecordID(record.Dialect, record.Device, record.Kind, entry.FormerKey, record.ImageSHA256)
	}
	if entry.Repeats {
		repeatsAfter = repeats
	}
	return edgelens.Reception{
		FormerID: former, RepeatsAfter: repeatsAfter, SentAgain: one.Retained || one.Duplicate,
		Record: record, Image: entry.Image, Routes: b.parts.Routes(&record),
		Held:       func() bool { return b.registry.quarantined(device) },
		Job:        edgelens.JobSpec{Source: "mqtt", Model: b.config.Model, TopK: b.config.TopK, MinScore: b.config.MinScore},
		MaxWaiting: b.config.MaxWaiting, MaxInteractive: min(maxInteractive, b.config.MaxWaiting),
	}
}

// maxInteractive is how many images of a device may wait with those of people,
// the one that is looked at included, before the rest wait in the bulk queue: a
// device that sends faster than can be looked at must not make the others wait.
const maxInteractive = 2

// kept is what became of a record.
type kept int

const (
	keptNow    kept = iota // it is durable
	keptBefore             // it was already
	keptNever              // it could not be made so, and never will
)

// String is what the log says.
func (k kept) String() string { return [...]string{"kept", "duplicate", "lost"}[k] }

// keep makes a record durable, however often that must be tried. The error says
// that we stop: it must come again.
func (b *Bridge) keep(ctx context.Context, one item, reception edgelens.Reception) (kept, error) {
	wait := minRetry
	for try := 1; ; try++ {
		existing, err := b.parts.Records.Receive(ctx, reception)
		switch {
		case err == nil && existing:
			return keptBefore, nil
		case err == nil:
			return keptNow, nil
		case ctx.Err() != nil || errors.Is(err, edgelens.ErrStopping):
			return keptNever, err
		}
		passes := edgelens.NotStored(err) || errors.Is(err, edgelens.ErrBusy) || errors.Is(err, edgelens.ErrDeadline)
		switch {
		case errors.Is(err, edgelens.ErrInvalid), !passes && try >= triesOfUnknown, one.QoS == 0 && b.now().Sub(one.receivedAt) > onceTimeout:
			b.metrics.drop(dropNotKept)
			b.log.Error("A RECORD IS LOST: it could not be made durable", "device", reception.Record.Device, "record", reception.Record.ID, "tries", try, "error", err)
			return keptNever, nil
		}
		b.warn(one, "a record could not be made durable; it is tried again, and not confirmed before", err)
		stopping := b.stopping
		if one.QoS == 0 {
			stopping = nil // it does not come again
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, maxRetry)
		case <-stopping:
			return keptNever, edgelens.ErrStopping
		case <-ctx.Done():
			return keptNever, ctx.Err()
		}
	}
}

// warn logs something of a device, once per minute; of a topic that names none,
// with the topic.
func (b *Bridge) warn(one item, what string, err error) {
	name, attributes := one.device, []any{"dialect", one.dialect.Name(), "device", one.device}
	if one.device == "" {
		name = clip(one.Topic, maxLoggedTopic)
		attributes = []any{"dialect", one.dialect.Name(), "device", "unknown", "topic", name}
	}
	if one.device == "" {
		name = fmt.Sprint(crc32.ChecksumIEEE([]byte(one.Topic)) % loggedTopics)
	}
	suppressed, ok := b.limiter.pass(one.dialect.Name()+" "+name, one.receivedAt)
	if !ok {
		return
	}
	attributes = append(attributes, "bytes", len(one.Payload), "qos", one.QoS, "suppressed", suppressed)
	if err != nil {
		attributes = append(attributes, "error", err)
	}
	b.log.Warn(what, attributes...)
}

// loggedTopics is how many lines a minute there are at most of topics that name no
// device: anybody may invent them.
const loggedTopics = 64

// maxLoggedTopic bounds what of a topic is logged, in bytes; a broker lets it have
// 65,535.
const maxLoggedTopic = 200

// clip returns the start of a text, of at most n bytes and an ellipsis, as valid
// UTF-8.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
