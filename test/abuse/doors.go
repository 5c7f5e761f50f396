package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"edgelens"
	"edgelens/benchmarks/hostile"
	"edgelens/benchmarks/load"
	"edgelens/benchmarks/made"
	"edgelens/terminal/dialect"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

const (
	// doorCount terminals send doorRate records a second in all.
	doorCount = 8
	doorRate  = 8
	// eventTimeout is how long an event is awaited after the last record.
	eventTimeout  = 60 * time.Second
	brokerTimeout = 10 * time.Second
)

// doors are terminals with a listener to the events.
type doors struct {
	bench    *bench
	sender   *session.Session
	listener *session.Session
	dialect  dialect.Dialect
	image    []byte
	names    []string

	mu      sync.Mutex
	arrived map[string]time.Time // of events, by the record's id
	changed chan struct{}        // has an element after a change
}

// openDoors connects them. The caller closes them.
func (b *bench) openDoors(ctx context.Context, s *service) (*doors, error) {
	d := &doors{bench: b, dialect: fungxi.New(fungxi.DefaultConfig()), image: made.JPEG(640, 480), arrived: map[string]time.Time{}, changed: make(chan struct{}, 1)}
	for i := range doorCount {
		d.names = append(d.names, "DOOR"+strconv.Itoa(i))
	}
	var err error
	if d.listener, err = connect(ctx, s, session.Config{
		ClientID: "abuse-listener", AckAtOnce: true, OnMessage: d.receive,
		Subscriptions: []session.Subscription{{Filter: "edgelens/v1/events/#", QoS: 1}},
	}); err != nil {
		return nil, err
	}
	if d.sender, err = connect(ctx, s, session.Config{ClientID: "abuse-doors", AckAtOnce: true}); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func connect(ctx context.Context, s *service, config session.Config) (*session.Session, error) {
	address, err := session.ParseAddress("mqtt://"+s.broker, "")
	if err != nil {
		return nil, err
	}
	config.Address = address
	connection, err := session.Start(config, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := session.Await(ctx, address, brokerTimeout, connection.Up, connection.LastError); err != nil {
		disconnect(connection)
		return nil, err
	}
	return connection, nil
}

func disconnect(connection *session.Session) {
	if connection == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), brokerTimeout)
	defer cancel()
	_ = connection.Stop(ctx) // the broker may be gone
}

func (d *doors) close() {
	disconnect(d.sender)
	disconnect(d.listener)
}

func (d *doors) receive(m session.Message) {
	now := time.Now()
	var event struct {
		ID   string
		Data struct{ Outcome string }
	}
	if json.Unmarshal(m.Payload, &event) != nil || event.Data.Outcome == "error" {
		return // it counts as lost
	}
	d.mu.Lock()
	if _, again := d.arrived[event.ID]; !again {
		d.arrived[event.ID] = now
	}
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// entry is a record that is ready to be sent: terminals have processors of their own.
type entry struct {
	id      string
	message dialect.Outgoing
}

func (d *doors) build(device string) (entry, error) {
	image := join(hostile.Salted(d.image, d.bench.serial.Add(1)))
	message := fungxi.NewSimulator(nil).Record(device, edgelens.Record{
		Kind: edgelens.RecordVerified, Key: strconv.FormatInt(d.bench.sequence.Add(1), 10), Passed: true, CapturedAt: time.Now(), Person: edgelens.Person{Name: "Ann"},
	}, image)
	read, err := d.dialect.Decode(message.Topic, message.Payload, dialect.Hints{ReceivedAt: time.Now()})
	if err != nil || len(read.Entries) != 1 {
		return entry{}, fmt.Errorf("build a record: %w", errors.Join(err, errors.New("the dialect does not read it")))
	}
	digest := sha256.Sum256(image)
	record := read.Entries[0].Record // its key is not the number alone
	return entry{edgelens.RecordID(d.dialect.Name(), device, record.Kind, record.Key, hex.EncodeToString(digest[:])), message}, nil
}

func join(parts [][]byte) []byte {
	var out []byte
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

// measure sends records for the window, and returns the summary of the times from when each was due until its event
// arrived. A lost one took eventTimeout.
func (d *doors) measure(ctx context.Context, row, name string, window time.Duration) (summary, error) {
	entries := make([]entry, int(window.Seconds()*doorRate))
	for i := range entries {
		var err error
		if entries[i], err = d.build(d.names[i%len(d.names)]); err != nil {
			return summary{}, err
		}
	}
	begin := time.Now()
	due := func(i int) time.Time { return begin.Add(time.Duration(i) * time.Second / doorRate) }
	var sending sync.WaitGroup
	for i, e := range entries {
		if !pause(ctx, time.Until(due(i))) {
			break
		}
		sending.Go(func() { _ = d.publish(ctx, e.message) }) // one that fails is lost
	}
	sending.Wait()
	d.await(ctx, entries)
	d.mu.Lock()
	defer d.mu.Unlock()
	s := summary{Row: row, Name: name, Samples: len(entries), Statuses: map[string]int{}}
	took := make([]float64, len(entries))
	for i, e := range entries {
		took[i] = milliseconds(eventTimeout)
		if at, ok := d.arrived[e.id]; ok {
			took[i] = milliseconds(at.Sub(due(i)))
			s.Statuses[load.Good]++
		} else {
			s.Statuses["no event"]++
		}
	}
	s.latencies(took)
	d.bench.results.keep(s)
	return s, ctx.Err()
}

func (d *doors) publish(ctx context.Context, m dialect.Outgoing) error {
	return d.sender.Publish(ctx, session.Outgoing{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS})
}

// await returns once every event has arrived, or none has for eventTimeout.
func (d *doors) await(ctx context.Context, entries []entry) {
	missing := func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, e := range entries {
			if _, ok := d.arrived[e.id]; !ok {
				return true
			}
		}
		return false
	}
	end := time.After(eventTimeout)
	for missing() {
		select {
		case <-d.changed:
		case <-end:
			return
		case <-ctx.Done():
			return
		}
	}
}
