package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/suite"
	"edgelens/internal/app"
	"edgelens/terminal/dialect"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
	"edgelens/terminal/simulate"
)

// eventTimeout is how long events are waited for when all records were sent.
const eventTimeout = 10 * time.Second

// benchTerminals fits simulated terminals into the port of the benchmarks.
func benchTerminals(broker string) suite.Terminals {
	return func(ctx context.Context, load suite.TerminalsLoad) ([]suite.Heard, error) {
		address, err := session.ParseAddress(broker, "")
		if err != nil {
			return nil, err
		}
		listener := &eventListener{heard: map[string]heardEvent{}, wake: make(chan struct{}, 1)}
		if err := listener.start(ctx, address); err != nil {
			return nil, err
		}
		defer app.CloseWithin(app.StopTimeout, listener.session.Stop) // the broker is ours, and ends next
		fleet, told, err := benchFleet(address, load)
		if err != nil {
			return nil, err
		}
		sending, cancel := context.WithTimeout(ctx, load.Window)
		defer cancel()
		if err := fleet.Run(sending); err != nil {
			return nil, err
		}
		sent := fleet.Sent()
		listener.await(ctx, sent)
		return told.match(sent, listener, load.Terminals), ctx.Err()
	}
}

func benchFleet(address session.Address, load suite.TerminalsLoad) (*simulate.Fleet, *toldTimes, error) {
	speaker := simulateFlags{dialect: fungxi.Name, ack: fungxi.AckNone}
	config := simulate.DefaultConfig()
	var simulator dialect.Simulator
	var err error
	if config.Dialect, simulator, err = speaker.spoken(); err != nil {
		return nil, nil, err
	}
	told := &toldTimes{Simulator: simulator, reader: config.Dialect, times: map[string][2]time.Time{}}
	config.Simulator, config.Broker, config.Devices = told, address, simulate.Serials("BENCH", load.Terminals)
	config.Heartbeat, config.Rate, config.Seed, config.Keep, config.Distinct = 0, load.Rate/float64(load.Terminals), load.Seed, true, true
	// Not that of the run before, not even within a second: the same record again
	// has no event of its own.
	config.FirstKey = time.Now().UnixMilli()
	for _, image := range load.Images {
		config.Images = append(config.Images, image.Data)
	}
	fleet, err := simulate.New(config, slog.New(slog.DiscardHandler))
	return fleet, told, err
}

// toldTimes notes when each record was due and when it was made to be sent.
type toldTimes struct {
	dialect.Simulator
	reader dialect.Dialect
	mu     sync.Mutex
	times  map[string][2]time.Time // by the record's id
}

// Record implements dialect.Simulator. It reads the message as the receiver
// does, since the id is made of what that finds.
func (t *toldTimes) Record(device string, r edgelens.Record, image []byte) dialect.Outgoing {
	message := t.Simulator.Record(device, r, image)
	now := time.Now()
	read, err := t.reader.Decode(message.Topic, message.Payload, dialect.Hints{ReceivedAt: now})
	if err != nil {
		return message
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, entry := range read.Entries {
		digest := ""
		if len(entry.Image) > 0 {
			sum := sha256.Sum256(entry.Image)
			digest = hex.EncodeToString(sum[:])
		}
		id := edgelens.RecordID(t.reader.Name(), read.Device, entry.Record.Kind, entry.Record.Key, digest)
		t.times[id] = [2]time.Time{r.CapturedAt, now}
	}
	return message
}

// match finds the event of each record that the broker has taken.
func (t *toldTimes) match(sent []simulate.Sent, listener *eventListener, terminals int) []suite.Heard {
	t.mu.Lock()
	defer t.mu.Unlock()
	listener.mu.Lock()
	defer listener.mu.Unlock()
	devices := simulate.Serials("BENCH", terminals)
	var all []suite.Heard
	for _, s := range sent {
		times, ok := t.times[s.ID]
		if !ok || s.Uncertain {
			continue
		}
		h := suite.Heard{Terminal: slices.Index(devices, s.Device), Due: times[0], Sent: times[1], Done: time.Now(), Status: "no event"}
		if event, came := listener.heard[s.ID]; came {
			h.Done, h.Status = event.at, event.status
		}
		all = append(all, h)
	}
	return all
}

// eventListener hears the events as any client of the broker does.
type eventListener struct {
	session *session.Session
	mu      sync.Mutex
	heard   map[string]heardEvent
	wake    chan struct{}
}

type heardEvent struct {
	at     time.Time
	status string
}

func (l *eventListener) start(ctx context.Context, address session.Address) error {
	up := make(chan struct{})
	var once sync.Once
	var err error
	l.session, err = session.Start(session.Config{
		Address: address, ClientID: "edgelens-bench", AckAtOnce: true, OnMessage: l.hear,
		Subscriptions: []session.Subscription{{Filter: "edgelens/v1/events/#", QoS: 1}},
		OnUp:          func(context.Context) { once.Do(func() { close(up) }) },
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	select {
	case <-up:
		return nil
	case <-time.After(brokerTimeout):
		err = noBroker(address, l.session.LastError())
	case <-ctx.Done():
		err = ctx.Err()
	}
	_ = app.CloseWithin(app.StopTimeout, l.session.Stop) // the first error says more
	return err
}

func (l *eventListener) hear(m session.Message) {
	now := time.Now()
	var event struct {
		ID   string
		Data struct{ Outcome string }
	}
	if json.Unmarshal(m.Payload, &event) != nil {
		return
	}
	status := event.Data.Outcome
	if status == "recognized" || status == "uncertain" {
		status = record.Good
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, again := l.heard[event.ID]; !again {
		l.heard[event.ID] = heardEvent{now, status}
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// await returns when each record has its event, or the time for it is up.
func (l *eventListener) await(ctx context.Context, sent []simulate.Sent) {
	timeout := time.After(eventTimeout)
	for l.missing(sent) {
		select {
		case <-l.wake:
		case <-timeout:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (l *eventListener) missing(sent []simulate.Sent) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(sent, func(s simulate.Sent) bool {
		_, came := l.heard[s.ID]
		return !came && !s.Uncertain
	})
}
