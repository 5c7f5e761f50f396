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

// maxUnacked is how many records may wait for acknowledgement: a terminal does
// not send on for ever to one that says nothing.
const maxUnacked = 64

// recordState is how far a terminal is with its records.
type recordState struct {
	start time.Time
	made  int
	// line are the messages to be sent next, in this order.
	line []*message
}

// message is a message with a record, or one that is damaged.
type message struct {
	dialect.Outgoing
	key  string // of the acknowledgement that is due; empty for none
	sent []*Sent
	lie  bool

	tries           int       // of those that went out, or may have
	firstAt, lastAt time.Time // these are guarded by terminal.mu
	acked           bool
}

// sendRecords makes and sends records until ctx ends or all are made and
// confirmed.
func (t *terminal) sendRecords(ctx context.Context) {
	state := &t.recordState
	if state.start.IsZero() {
		state.start = time.Now()
		if t.config.Rate > 0 { // they do not keep step; with one terminal, the first comes soon
			state.start = state.start.Add(time.Duration(t.random.Float64() * float64(time.Second) / t.config.Rate))
		}
	}
	for ctx.Err() == nil {
		if len(state.line) > 0 {
			t.sendFirst(ctx)
			continue
		}
		again, waiting := t.toResend()
		if again != nil {
			t.send(ctx, again) // one that fails comes up again here
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

// rest waits until there may be something to do.
func (t *terminal) rest(ctx context.Context, due time.Time, more bool) {
	wait := t.config.RetryUnacked / 4 // to look for what is to be sent again
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
		// Without an end there is nothing to have finished.
		if t.config.Records > 0 {
			close(t.finished)
		}
	}
}

// produce puts the next record into the line, with what is to become of it.
func (t *terminal) produce(due time.Time) {
	first := t.one(due)
	if t.chance(t.config.Reordered) {
		if due, more := t.nextDue(); more {
			t.recordState.line = append(t.recordState.line, t.one(due))
			t.fleet.count(func(f *Fleet) { f.counts.Reordered++ })
		}
	}
	t.recordState.line = append(t.recordState.line, first)
}

func (t *terminal) chance(share float64) bool { return share > 0 && t.random.Float64() < share }

// one makes a record.
func (t *terminal) one(at time.Time) *message {
	key := t.config.FirstKey + int64(t.recordState.made)
	image := t.image(key)
	record := t.record(key, at)
	t.recordState.made++
	m := &message{lie: t.chance(t.config.Lies)}
	if m.lie {
		m.Outgoing = t.lie()(t, record, image)
	} else {
		m.Outgoing = t.config.Simulator.Record(t.device, record, image)
	}
	t.understand(m)
	return m
}

func (t *terminal) lie() lie {
	n := len(lies)
	if t.config.LargeBytes == 0 {
		n-- // the last one is too large an image
	}
	return lies[t.random.IntN(n)]
}

// names are people's, not all of them in ASCII.
var names = []string{"Ada Lovelace", "Grace Hopper", "张三", "Zoë Müller", "Alan Turing", "O'Neil <Ops>", "李娜", "Katherine Johnson"}

func (t *terminal) record(key int64, at time.Time) edgelens.Record {
	record := edgelens.Record{Kind: edgelens.RecordVerified, Key: strconv.FormatInt(key, 10), CapturedAt: at}
	who := t.random.IntN(len(names))
	switch dice := t.random.Float64(); {
	case dice < t.config.Passed:
		record.Passed = true
		record.Person = edgelens.Person{ID: strconv.Itoa(who + 1), Name: names[who]}
	case dice < t.config.Passed+t.config.Strangers:
		record.Kind = edgelens.RecordStranger
	default:
		record.Person = edgelens.Person{ID: strconv.Itoa(who + 1), Name: names[who]}
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

// understand reads the message as the receiver will.
func (t *terminal) understand(m *message) {
	reading, err := wire.Decode(t.config.Dialect, m.Topic, m.Payload, dialect.Hints{ReceivedAt: time.Now()})
	if err != nil {
		return
	}
	for _, read := range reading.Messages {
		t.understood(m, read)
	}
}

func (t *terminal) understood(m *message, read dialect.Message) {
	for _, entry := range read.Entries {
		record := entry.Record
		sent := &Sent{Device: read.Device, Kind: record.Kind, Key: record.Key, Lie: m.lie, Uncertain: true}
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

// sendFirst sends what stands first in line, and takes it out unless it must be
// tried again.
func (t *terminal) sendFirst(ctx context.Context) {
	m := t.recordState.line[0]
	if t.send(ctx, m) {
		t.recordState.line = t.recordState.line[1:]
		if t.chance(t.config.Duplicates) && t.publish(ctx, m.Outgoing) == nil {
			t.fleet.count(func(f *Fleet) { f.counts.Duplicates++ })
		}
	}
}

// lieTries is how often a damaged message is sent that the broker does not
// confirm: it may have hung up for it.
const lieTries = 3

// send reports whether the message is done with.
func (t *terminal) send(ctx context.Context, m *message) bool {
	t.begin(m)
	err := t.publish(ctx, m.Outgoing)
	if errors.Is(err, session.ErrOffline) {
		pause(ctx)
		return false
	}
	m.tries++
	unheard := errors.Is(err, session.ErrNoSubscriber)
	t.fleet.count(func(f *Fleet) { f.gone(m, unheard) })
	switch {
	case err == nil || unheard:
		t.fleet.count(func(*Fleet) { m.taken(unheard) })
		return true
	case m.lie && m.tries >= lieTries:
		t.fleet.count(func(f *Fleet) { f.counts.Refused++ })
		t.forget(m)
		return true
	default:
		t.fleet.log.Debug("a simulated terminal sends again", "device", t.device, "error", err)
		pause(ctx)
		return false
	}
}

// pause waits a moment: for the session to learn that the connection is gone, or
// for a broker that refuses.
func pause(ctx context.Context) {
	select {
	case <-time.After(tryAgain):
	case <-ctx.Done():
	}
}

// begin notes that a message goes out: the answer may be there before the
// broker's confirmation is.
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

// gone counts a message that went out; mu is held.
func (f *Fleet) gone(m *message, unheard bool) {
	if unheard {
		f.counts.Unheard++
	}
	if m.tries > 1 {
		f.counts.Resent++
		return
	}
	if m.lie {
		f.counts.Lies++
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

// taken notes that the broker has the message. Fleet.mu is held.
func (m *message) taken(unheard bool) {
	for _, sent := range m.sent {
		sent.Unheard = unheard
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
		return // again, or not asked for
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

// toResend returns a record that is to be sent again, and whether any waits for
// its acknowledgement. Those that were tried often enough are given up.
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

// forget no longer waits for an acknowledgement of what nobody may have got.
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
