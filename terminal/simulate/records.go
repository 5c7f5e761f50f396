package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/session"
)

// maxUnacked is the maximum number of unacknowledged records: a terminal does not keep
// sending to a silent receiver.
const maxUnacked = 64

// recordState is the progress of a terminal with its records.
type recordState struct {
	start time.Time
	made  int
	// queue holds the messages to be sent, in order.
	queue []*message
}

// message is a message with a record, or one that is damaged.
type message struct {
	dialect.Outgoing
	key     string // of the due acknowledgement; empty for none
	sent    []*Sent
	damaged bool

	tries           int       // attempts that reached, or may have reached, the broker
	firstAt, lastAt time.Time // guarded by terminal.mu
	acked           bool
}

// sendRecords makes and sends records until ctx ends or all are made and
// confirmed.
func (t *terminal) sendRecords(ctx context.Context) {
	state := &t.recordState
	if state.start.IsZero() {
		state.start = time.Now()
		if t.config.Rate > 0 { // out of step with each other; with one terminal, the first comes soon
			state.start = state.start.Add(time.Duration(t.random.Float64() * float64(time.Second) / t.config.Rate))
		}
	}
	for ctx.Err() == nil {
		if len(state.queue) > 0 {
			t.sendFirst(ctx)
			continue
		}
		again, waiting := t.toResend()
		if again != nil {
			t.send(ctx, again) // a failed one is returned again
			continue
		}
		due, more := t.nextDue()
		if !more && !waiting {
			t.finish()
			return
		}
		if more && !time.Now().Before(due) && !t.full() {
			t.produce(due)
			continue
		}
		t.rest(ctx, due, more)
	}
}

// nextDue returns when the next record is due; false where there is none.
func (t *terminal) nextDue() (time.Time, bool) {
	made := t.recordState.made
	if t.config.Records > 0 && made >= t.config.Records || t.config.Records == 0 && t.config.Rate == 0 {
		return time.Time{}, false
	}
	if t.config.Rate == 0 {
		return time.Now(), true
	}
	return t.recordState.start.Add(time.Duration(float64(made) * float64(time.Second) / t.config.Rate)), true
}

// rest waits until there may be a record to send.
func (t *terminal) rest(ctx context.Context, due time.Time, more bool) {
	wait := t.config.RetryUnacked / 4 // to check for records to resend
	if more && !t.full() {
		wait = min(wait, time.Until(due))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.confirmed:
	case <-ctx.Done():
	}
}

func (t *terminal) finish() {
	select {
	case <-t.finished:
	default:
		// Without a number of records there is no end.
		if t.config.Records > 0 {
			close(t.finished)
		}
	}
}

// produce queues the next record.
func (t *terminal) produce(due time.Time) {
	first := t.newMessage(due)
	if t.chance(t.config.Reordered) {
		if due, more := t.nextDue(); more {
			t.recordState.queue = append(t.recordState.queue, t.newMessage(due))
			t.fleet.count(func(f *Fleet) { f.counts.Reordered++ })
		}
	}
	t.recordState.queue = append(t.recordState.queue, first)
}

func (t *terminal) chance(share float64) bool { return share > 0 && t.random.Float64() < share }

// newMessage makes a message with a record.
func (t *terminal) newMessage(at time.Time) *message {
	key := t.config.FirstKey + int64(t.recordState.made)
	image := t.image(key)
	record := t.record(key, at)
	t.recordState.made++
	m := &message{damaged: t.chance(t.config.Damaged)}
	if m.damaged {
		m.Outgoing = t.damage()(t, record, image)
	} else {
		m.Outgoing = t.config.Simulator.Record(t.device, record, image)
	}
	t.expect(m)
	return m
}

func (t *terminal) damage() damage {
	n := len(damages)
	if t.config.LargeBytes == 0 {
		n-- // the last one sends too large an image
	}
	return damages[t.random.IntN(n)]
}

// names are names of people, not all in ASCII.
var names = []string{"Ada Lovelace", "Grace Hopper", "张三", "Zoë Müller", "Alan Turing", "O'Neil <Ops>", "李娜", "Katherine Johnson"}

func (t *terminal) record(key int64, at time.Time) edgelens.Record {
	record := edgelens.Record{Kind: edgelens.RecordVerified, Key: strconv.FormatInt(key, 10), CapturedAt: at}
	person := t.random.IntN(len(names))
	switch dice := t.random.Float64(); {
	case dice < t.config.Passed:
		record.Passed = true
		record.Person = edgelens.Person{ID: strconv.Itoa(person + 1), Name: names[person]}
	case dice < t.config.Passed+t.config.Strangers:
		record.Kind = edgelens.RecordStranger
	default:
		record.Person = edgelens.Person{ID: strconv.Itoa(person + 1), Name: names[person]}
	}
	return record
}

func (t *terminal) image(key int64) []byte {
	image := t.config.Images[t.random.IntN(len(t.config.Images))]
	if t.config.Distinct {
		return withComment(image, t.device, key)
	}
	return image
}

// expect decodes the message as the receiver will, and stores the expected records.
func (t *terminal) expect(m *message) {
	reading, err := wire.Decode(t.config.Dialect, m.Topic, m.Payload, dialect.Hints{ReceivedAt: time.Now()})
	if err != nil {
		return
	}
	for _, read := range reading.Messages {
		t.expectRecords(m, read)
	}
}

func (t *terminal) expectRecords(m *message, read dialect.Message) {
	for _, entry := range read.Entries {
		record := entry.Record
		sent := &Sent{Device: read.Device, Kind: record.Kind, Key: record.Key, Damaged: m.damaged, Uncertain: true}
		if len(entry.Image) > 0 {
			sum := sha256.Sum256(entry.Image)
			sent.ImageSHA256 = hex.EncodeToString(sum[:])
		}
		sent.ID = edgelens.RecordID(t.config.Dialect.Name(), sent.Device, sent.Kind, sent.Key, sent.ImageSHA256)
		m.sent = append(m.sent, sent)
		for _, ack := range entry.Acks {
			if answer := t.config.Simulator.Read(ack.Topic, ack.Payload); answer.Kind == dialect.RecordAck {
				m.key = answer.Key
			}
		}
	}
}

// sendFirst sends the first message of the queue, and removes it unless it must be
// retried.
func (t *terminal) sendFirst(ctx context.Context) {
	m := t.recordState.queue[0]
	if t.send(ctx, m) {
		t.recordState.queue = t.recordState.queue[1:]
		if t.chance(t.config.Duplicates) && t.publish(ctx, m.Outgoing) == nil {
			t.fleet.count(func(f *Fleet) { f.counts.Duplicates++ })
		}
	}
}

// damagedTries is how often a damaged message without the broker's confirmation is sent:
// the broker may have disconnected because of it.
const damagedTries = 3

// send reports whether the message is completed.
func (t *terminal) send(ctx context.Context, m *message) bool {
	t.begin(m)
	err := t.publish(ctx, m.Outgoing)
	if errors.Is(err, session.ErrOffline) {
		pause(ctx)
		return false
	}
	m.tries++
	noSubscriber := errors.Is(err, session.ErrNoSubscriber)
	t.fleet.count(func(f *Fleet) { f.countSent(m, noSubscriber) })
	switch {
	case err == nil || noSubscriber:
		t.fleet.count(func(*Fleet) { m.accepted(noSubscriber) })
		return true
	case m.damaged && m.tries >= damagedTries:
		t.fleet.count(func(f *Fleet) { f.counts.Refused++ })
		t.forget(m)
		return true
	default:
		t.fleet.log.Debug("a simulated terminal resends a message", "device", t.device, "error", err)
		pause(ctx)
		return false
	}
}

// pause waits for the session to notice a lost connection, or for a broker that rejects
// messages.
func pause(ctx context.Context) {
	select {
	case <-time.After(tryAgain):
	case <-ctx.Done():
	}
}

// begin prepares for the answer before a message is sent: the answer may arrive before the
// broker's confirmation.
func (t *terminal) begin(m *message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m.lastAt = time.Now()
	if m.firstAt.IsZero() {
		m.firstAt = m.lastAt
	}
	if m.key != "" && !m.acked {
		t.unacked[m.key] = m
	}
}

// countSent counts a sent message; mu is held.
func (f *Fleet) countSent(m *message, noSubscriber bool) {
	if noSubscriber {
		f.counts.NoSubscriber++
	}
	if m.tries > 1 {
		f.counts.Resent++
		return
	}
	if m.damaged {
		f.counts.Damaged++
	} else {
		f.record.Sent++
	}
	if m.key != "" {
		f.record.Due++
	}
	if f.config.Keep {
		f.sent = append(f.sent, m.sent...)
	}
}

// accepted records that the broker has accepted the message. Fleet.mu is held.
func (m *message) accepted(noSubscriber bool) {
	for _, sent := range m.sent {
		sent.NoSubscriber = noSubscriber
		if m.key == "" {
			sent.Uncertain = false
		}
	}
}

func (t *terminal) onRecordAck(key string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.unacked[key]
	if !ok {
		return // a duplicate, or unexpected
	}
	delete(t.unacked, key)
	m.acked = true
	took := now.Sub(m.firstAt)
	t.fleet.count(func(f *Fleet) {
		f.record.answered(took)
		for _, sent := range m.sent {
			sent.Uncertain = false
		}
	})
	select {
	case t.confirmed <- struct{}{}:
	default:
	}
}

// toResend returns a record to be resent, and whether any waits for its acknowledgement.
// Records that reached Tries are given up.
func (t *terminal) toResend() (again *message, waiting bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for key, m := range t.unacked {
		late := now.Sub(m.lastAt)
		switch {
		case m.tries >= t.config.Tries && late > max(t.config.AnswerTimeout, t.config.RetryUnacked):
			t.giveUp(key)
		case m.tries < t.config.Tries && late > t.config.RetryUnacked && (again == nil || m.firstAt.Before(again.firstAt)):
			again = m
		}
	}
	return again, len(t.unacked) > 0
}

// giveUp is called with mu held.
func (t *terminal) giveUp(key string) {
	delete(t.unacked, key)
	t.fleet.count(func(f *Fleet) { f.record.Unanswered++ })
}

// forget stops waiting for the acknowledgement of a message that may not have arrived.
func (t *terminal) forget(m *message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.unacked[m.key] == m {
		delete(t.unacked, m.key)
		t.fleet.count(func(f *Fleet) { f.record.CutOff++ })
	}
}

func (t *terminal) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.unacked) >= maxUnacked
}
