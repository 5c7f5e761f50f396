//go:build fault

package fault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/facesluice"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

// resendAfter is the interval of a terminal's retries: the cameras take ten times that, which is too long for a test.
const resendAfter = time.Second

// device is a terminal that sends one record after the other, each until it is acknowledged: by the broker where its
// records have QoS 1, and by the service where its dialect has an acknowledgement.
type device struct {
	site      *site
	serial    string
	simulator dialect.Simulator
	dialect   dialect.Dialect
	acked     bool
	session   *session.Session
	acks      chan string

	mu       sync.Mutex
	records  []*sent
	resent   int // of these, more than once
	unrouted int // messages without a subscriber
}

// sent is a record, in the order of the first attempt.
type sent struct {
	id, key  string
	captured time.Time
	// begun is the first attempt, confirmed the end of the last.
	begun, confirmed time.Time
}

func inUTC(string) *time.Location { return time.UTC }

// addFungxi adds a terminal whose records the broker acknowledges, and the service too with --fungxi-ack=echo.
func (s *site) addFungxi(serial string, acked bool) *device {
	config := fungxi.DefaultConfig()
	if acked {
		config.Ack = fungxi.AckEcho
	}
	return s.add(&device{serial: serial, simulator: fungxi.NewSimulator(inUTC), dialect: fungxi.New(config), acked: acked})
}

// addCamera adds a camera that sends with QoS 0 until it gets a PushAck.
func (s *site) addCamera(serial string) *device {
	config := facesluice.DefaultConfig()
	return s.add(&device{serial: serial, simulator: facesluice.NewSimulator(inUTC), dialect: facesluice.New(config), acked: true})
}

func (s *site) add(d *device) *device {
	s.t.Helper()
	d.site, d.acks = s, make(chan string, 100)
	config := session.Config{ClientID: d.serial, AckAtOnce: true, OnMessage: d.receive}
	for _, filter := range d.simulator.Subscriptions(d.serial) {
		config.Subscriptions = append(config.Subscriptions, session.Subscription{Filter: filter, QoS: 1})
	}
	d.session = s.connect(config)
	s.devices = append(s.devices, d)
	return d
}

func (d *device) receive(m session.Message) {
	if answer := d.simulator.Read(m.Topic, m.Payload); answer.Kind == dialect.RecordAck {
		select {
		case d.acks <- answer.Key:
		default: // no waiter
		}
	}
}

// new creates the next record of the site, for this device, and its message.
func (d *device) new(captured time.Time, image []byte) (*sent, dialect.Outgoing) {
	n := d.site.key.Add(1)
	record := edgelens.Record{
		Kind: edgelens.RecordVerified, Key: strconv.FormatInt(n, 10), Passed: n%3 > 0, CapturedAt: captured, Person: edgelens.Person{Name: "Ann"},
	}
	if n%7 == 0 {
		record.Kind, record.Passed, record.Person = edgelens.RecordStranger, false, edgelens.Person{}
	}
	message := d.simulator.Record(d.serial, record, image)
	read, err := d.dialect.Decode(message.Topic, message.Payload, dialect.Hints{ReceivedAt: time.Now()})
	if err != nil || len(read.Entries) != 1 {
		panic("the parser rejects the simulator's message") // never
	}
	digest := sha256.Sum256(image)
	understood := read.Entries[0].Record // its key is not the number alone
	return &sent{
		id:  edgelens.RecordID(d.dialect.Name(), d.serial, understood.Kind, understood.Key, hex.EncodeToString(digest[:])),
		key: record.Key, captured: captured,
	}, message
}

// deliver sends a record until it is acknowledged; false where ctx ended before.
func (d *device) deliver(ctx context.Context, r *sent, message dialect.Outgoing) bool {
	d.note(func() {
		r.begun = time.Now()
		d.records = append(d.records, r)
	})
	for try := 0; ctx.Err() == nil; try++ {
		if d.publish(ctx, message) && (!d.acked || d.acknowledged(ctx, r.key)) {
			d.note(func() { r.confirmed, d.resent = time.Now(), d.resent+min(try, 1) })
			return true
		}
	}
	return false
}

// publish reports whether the broker has accepted it: with QoS 0 this is unknown.
func (d *device) publish(ctx context.Context, message dialect.Outgoing) bool {
	err := d.session.Publish(ctx, session.Outgoing{Topic: message.Topic, Payload: message.Payload, QoS: message.QoS})
	if errors.Is(err, session.ErrNoSubscriber) {
		d.note(func() { d.unrouted++ }) // terminals get no error
		return true
	}
	if err != nil {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return err == nil
}

func (d *device) acknowledged(ctx context.Context, key string) bool {
	late := time.NewTimer(resendAfter)
	defer late.Stop()
	for {
		select {
		case acked := <-d.acks:
			if acked == key {
				return true
			}
		case <-late.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// chat sends records with a pause before each until quit is closed, and ends with the last one acknowledged: one in
// five twice, one in ten after its successor, and one in ten again much later.
func (d *device) chat(ctx context.Context, quit <-chan struct{}, pause time.Duration) {
	var last []dialect.Outgoing
	for {
		select {
		case <-quit:
			return
		case <-ctx.Done():
			return
		case <-time.After(rand.N(2*pause + 1)):
		}
		var line []func() bool
		for range 1 + rand.IntN(10)/9 {
			r, message := d.new(time.Now(), d.site.image())
			line = append([]func() bool{func() bool { return d.deliver(ctx, r, message) }}, line...)
			if last = append(last, message); len(last) > 10 {
				last = last[1:]
			}
		}
		for _, deliver := range line {
			if !deliver() {
				return
			}
		}
		if rand.IntN(5) == 0 {
			d.publish(ctx, last[len(last)-1])
		}
		if rand.IntN(10) == 0 {
			d.publish(ctx, last[0])
		}
	}
}

func (d *device) note(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *device) all() []sent {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]sent, len(d.records))
	for i, r := range d.records {
		all[i] = *r
	}
	return all
}
