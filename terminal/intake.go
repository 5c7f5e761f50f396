package terminal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/session"
)

const (
	// small is the size in bytes up to which a message is decoded on reception:
	// heartbeats must not wait for images.
	small = 4 << 10
	// announceInterval is how often a node announces a device to the others of its
	// group.
	announceInterval = 10 * time.Second
	// minRetry and maxRetry bound the wait between attempts to store a record.
	minRetry, maxRetry = 100 * time.Millisecond, 5 * time.Second
	// repeats is the age from which the same image of a camera is a new record: a camera
	// resends a message within seconds, and "no signal" looks the same an hour later.
	repeats = 30 * time.Second
	// onceTimeout is the time limit for storing a record of QoS 0, which only the device
	// can send again, and triesOfUnknown the maximum number of attempts for an error that
	// is not known to be temporary.
	onceTimeout    = 30 * time.Second
	triesOfUnknown = 10
)

// item is a received message on its way to the ledger.
type item struct {
	session.Message
	dialect dialect.Dialect
	// device is the device in the topic, or empty.
	device     string
	receivedAt time.Time
	// decoded is set where the message is decoded already.
	decoded *wire.Reading
}

func (i item) size() int64 { return int64(len(i.Payload)) }

// stale reports whether the broker had kept the message: as a retained one, or for us
// while we were disconnected for longer than fresh. It proves nothing about now.
func (i item) stale(fresh time.Duration) bool { return i.Retained || i.Waited > fresh }

// stored returns in a sentence how the message came out of the broker's store; empty
// where it came at once.
func (i item) stored() string {
	switch {
	case i.Retained:
		return "The MQTT broker had retained the message."
	case i.Waited > 0:
		return "The message may have waited at the MQTT broker while edgelens was disconnected."
	case i.Duplicate:
		return "The MQTT broker has resent the message."
	default:
		return ""
	}
}

// onMessage is called for each message, one at a time. It blocks only where the queues are
// full and nothing may be dropped: then the broker has to wait. We announce a Receive
// Maximum; mosquitto 2.0.11 exceeds it under load (measured: 800 instead of 16).
func (b *Bridge) onMessage(m session.Message) {
	d, device := b.dialects.match(m.Topic)
	if d == nil {
		b.onOtherTopic(m)
		m.Ack()
		return
	}
	msg := item{Message: m, dialect: d, device: device, receivedAt: b.now()}
	if len(m.Payload) == 0 {
		b.empty(msg)
		m.Ack()
		return
	}
	if len(m.Payload) <= small {
		reading, err := b.decode(msg)
		if err != nil {
			b.malformed(msg, err)
			m.Ack()
			return
		}
		if !slices.ContainsFunc(reading.Messages, isDurable) {
			for _, message := range reading.Messages {
				b.presence(msg, message)
			}
			b.account(msg, reading)
			m.Ack()
			return
		}
		msg.decoded = &reading
	}
	queue := d.Name() + " " + device
	if m.QoS > 0 {
		b.queues.pushBlocking(b.stopping, queue, msg)
		return
	}
	if !b.queues.push(queue, msg) {
		b.traffic.drop(dropQueueFull)
		b.registry.count(device, func(c *edgelens.DeviceCounters) { c.Lost++ })
		b.warn(msg, "a message was dropped: the queue of the device is full; the device should use QoS 1, or resend", nil)
	}
}

// isDurable reports whether a message must be stored, which takes time.
func isDurable(message dialect.Message) bool {
	return message.Kind == dialect.Records || message.Kind == dialect.Reply
}

// decode decodes a message.
func (b *Bridge) decode(msg item) (wire.Reading, error) {
	return wire.Decode(msg.dialect, msg.Topic, msg.Payload, dialect.Hints{
		ReceivedAt: msg.receivedAt.In(b.zoneOf(msg.device)), Charset: b.registry.charsetOf(msg.device),
	})
}

// onOtherTopic handles announcements of devices by other nodes of the group.
func (b *Bridge) onOtherTopic(m session.Message) {
	device, ok := strings.CutPrefix(m.Topic, topicDevices)
	if !ok && !strings.HasPrefix(m.Topic, topicOurs) {
		b.foreignTopic(m)
	}
	if !ok || b.config.Group == "" || m.Retained {
		return
	}
	if device, ok = strings.CutSuffix(device, seen); ok && dialect.ValidDevice(device) && b.dialects.named(string(m.Payload)) != nil {
		b.registry.seenElsewhere(string(m.Payload), device, b.now())
	}
}

// ingest processes queued messages until the queues are empty and ingesting has ended.
// writing bounds its writes.
func (b *Bridge) ingest(ingesting, writing context.Context) {
	for {
		queue, msg, ok := b.queues.take(ingesting)
		if !ok {
			return
		}
		if b.process(writing, msg) {
			msg.Ack()
		}
		b.queues.release(queue, msg)
	}
}

// process handles a message, and reports whether it may be acknowledged: if not, the broker
// must send it again.
func (b *Bridge) process(ctx context.Context, msg item) bool {
	if msg.decoded == nil {
		reading, err := b.decode(msg)
		if err != nil {
			b.malformed(msg, err)
			return true
		}
		msg.decoded = &reading
	}
	for _, message := range msg.decoded.Messages {
		switch message.Kind {
		case dialect.Records:
			if !b.records(ctx, msg, message) {
				return false
			}
		case dialect.Reply:
			b.reply(ctx, msg, message)
		default:
			b.presence(msg, message)
		}
	}
	b.account(msg, *msg.decoded)
	return true
}

// presence handles a message without a record, and answers it from memory.
func (b *Bridge) presence(msg item, message dialect.Message) {
	b.traffic.count(in, msg.dialect.Name(), message.Kind.String())
	if message.Device == "" || msg.stale(b.config.Fresh) {
		return
	}
	reported := presenceOnline
	if message.Kind == dialect.Offline {
		reported = presenceOffline
	}
	ok := b.noteSeen(msg, message, reported, func(c *edgelens.DeviceCounters) {
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
	b.answers.put(msg.dialect.Name(), kindAnswer, message.Answers)
	if message.Times != nil && msg.stored() == "" {
		b.measure(message.Device, clock.FromHeartbeat, b.assess(msg, message.Device, message.Times), msg.receivedAt)
	}
}

// noteSeen records a message of a device, and reports whether it may be processed.
func (b *Bridge) noteSeen(msg item, message dialect.Message, reported presence, count func(*edgelens.DeviceCounters)) bool {
	state, err := b.registry.noteSeen(msg.dialect.Name(), message.Device, msg.receivedAt, reported, count)
	if err != nil {
		b.traffic.drop(dropTooMany)
		b.warn(msg, "a message was dropped", err)
		return false
	}
	if state == edgelens.DeviceRefused {
		b.traffic.count(in, msg.dialect.Name(), kindRefused)
		return false
	}
	if b.config.Group != "" && reported == presenceOnline && b.registry.announce(message.Device, msg.receivedAt, announceInterval) {
		b.answers.put(msg.dialect.Name(), kindAvailability, []dialect.Outgoing{{Topic: seenTopic(message.Device), Payload: []byte(msg.dialect.Name())}})
	}
	return true
}

// records stores the records of a message, and acknowledges them.
func (b *Bridge) records(ctx context.Context, msg item, message dialect.Message) bool {
	b.traffic.count(in, msg.dialect.Name(), message.Kind.String())
	reported := presenceOnline
	if msg.stale(b.config.Fresh) {
		reported = presenceUnknown
	}
	if !b.noteSeen(msg, message, reported, func(*edgelens.DeviceCounters) {}) {
		return true
	}
	b.answers.put(msg.dialect.Name(), kindAnswer, message.Answers)
	for _, entry := range message.Entries {
		verdict := b.assess(msg, message.Device, entry.Times)
		reception := b.reception(msg, message.Device, entry, verdict)
		outcome, err := b.keep(ctx, msg, reception)
		if err != nil {
			return false
		}
		b.log.Info("record", "device", message.Device, "dialect", msg.dialect.Name(), "kind", reception.Record.Kind, "record", reception.Record.ID,
			"bytes", reception.Record.ImageBytes, "freshness", reception.Record.Freshness, "freshness_reason", reception.Record.FreshnessReason, "outcome", outcome)
		b.registry.count(message.Device, func(c *edgelens.DeviceCounters) {
			c.Records++
			if outcome == keptBefore {
				c.Duplicates++
			}
			if outcome == keptNever {
				c.Lost++
			}
			if outcome == keptNow {
				countTime(c, verdict.Problem)
				if reception.Record.Doubt != "" {
					c.UncertainVerdicts++
				}
				if entry.Undecoded {
					c.UndecodedTexts++
				}
			}
		})
		if outcome == keptNow {
			b.notice(msg, reception.Record, verdict)
			if entry.Undecoded {
				b.metrics.notUnderstood.WithLabelValues(msg.dialect.Name(), partText).Inc()
			}
		}
		if outcome != keptNever {
			b.answers.put(msg.dialect.Name(), kindAck, entry.Acks)
		}
	}
	return true
}

func (b *Bridge) reception(msg item, device string, entry dialect.Entry, verdict clock.Verdict) edgelens.Reception {
	record := entry.Record
	record.Dialect, record.Device, record.ReceivedAt, record.CapturedAt = msg.dialect.Name(), device, msg.receivedAt, verdict.At
	record.Freshness, record.FreshnessReason = freshness(msg, entry.Record, verdict)
	record.Retained = msg.stored() != ""
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
		FormerID: former, RepeatsAfter: repeatsAfter, SentAgain: msg.Retained || msg.Duplicate,
		Record: record, Image: entry.Image, Routes: b.parts.Routes(&record),
		Held:       func() bool { return b.registry.quarantined(device) },
		Job:        edgelens.JobSpec{Source: "mqtt", Model: b.config.Model, TopK: b.config.TopK, MinScore: b.config.MinScore},
		MaxWaiting: b.config.MaxWaiting, MaxInteractive: min(maxInteractive, b.config.MaxWaiting),
	}
}

// maxInteractive is the maximum number of images of a device in the interactive queue, the
// one in progress included; the rest wait in the bulk queue: a device that sends faster
// than its images are recognized must not delay the others.
const maxInteractive = 2

// kept is the outcome of storing a record.
type kept int

const (
	keptNow    kept = iota // it is stored
	keptBefore             // it was stored before
	keptNever              // it could not be stored, and never will be
)

// String returns the outcome for the log.
func (k kept) String() string { return [...]string{"kept", "duplicate", "lost"}[k] }

// keep stores a record, and retries as long as that may help. The error is returned when
// the bridge stops: the record must be sent again.
func (b *Bridge) keep(ctx context.Context, msg item, reception edgelens.Reception) (kept, error) {
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
		case errors.Is(err, edgelens.ErrInvalid), !passes && try >= triesOfUnknown, msg.QoS == 0 && b.now().Sub(msg.receivedAt) > onceTimeout:
			b.traffic.drop(dropNotKept)
			b.log.Error("a record is lost because it could not be stored", "event", "record_lost", "device", reception.Record.Device, "record", reception.Record.ID, "tries", try, "error", err)
			return keptNever, nil
		}
		b.warn(msg, "storing a record failed, retrying; it is not acknowledged before", err)
		stopping := b.stopping
		if msg.QoS == 0 {
			stopping = nil // the broker does not resend it
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
