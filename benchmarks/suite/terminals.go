package suite

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
	"edgelens/terminal/dialect"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
	"edgelens/terminal/simulate"
)

// delivery is a record that was sent, and its event.
type delivery struct {
	terminal int
	// due is when the record was due, sent when it was passed to the broker, done when its event arrived, or timed out.
	due, sent, done time.Time
	// status is record.Good, or the error of the event.
	status string
}

const (
	serialPrefix = "BENCH"
	// disconnectTimeout bounds the end of a session: the broker is private, and ends next.
	disconnectTimeout = 10 * time.Second
)

// simulate lets n terminals send records for the window of a round, and waits for their events.
func (c MQTTConfig) simulate(ctx context.Context, n int, round *Round) ([]delivery, error) {
	listener := &eventListener{events: map[string]event{}, wake: make(chan struct{}, 1)}
	if err := listener.start(ctx, c.Broker, c.ConnectTimeout); err != nil {
		return nil, err
	}
	defer listener.stop()
	fleet, times, err := c.newFleet(n, c.Seed+uint64(round.Run))
	if err != nil {
		return nil, err
	}
	sending, cancel := context.WithTimeout(ctx, round.Window)
	defer cancel()
	if err := fleet.Run(sending); err != nil {
		return nil, err
	}
	sent := fleet.Sent()
	listener.await(ctx, sent, c.EventTimeout)
	return times.match(sent, listener, n), ctx.Err()
}

// SendEvents has a terminal send records for that time, and returns how many events were published about them.
func SendEvents(ctx context.Context, c MQTTConfig, window time.Duration) (int, error) {
	deliveries, err := c.simulate(ctx, 1, &Round{Run: 1, Window: window})
	events := 0
	for _, d := range deliveries {
		if d.status == record.Good {
			events++
		}
	}
	return events, err
}

// newFleet returns terminals of the dialect fungxi.
func (c MQTTConfig) newFleet(n int, seed uint64) (*simulate.Fleet, *recordTimes, error) {
	config := simulate.DefaultConfig()
	config.Dialect = fungxi.New(fungxi.DefaultConfig())
	times := &recordTimes{Simulator: fungxi.NewSimulator(nil), reader: config.Dialect, byID: map[string][2]time.Time{}}
	config.Simulator, config.Broker, config.Devices = times, c.Broker, simulate.Serials(serialPrefix, n)
	config.Heartbeat, config.Rate, config.Seed, config.Keep, config.Distinct = 0, c.Rate/float64(n), seed, true, true
	// Different from the previous run, even within a second: a repeated record has no event of its own.
	config.FirstKey = time.Now().UnixMilli()
	for _, image := range c.Images {
		config.Images = append(config.Images, image.Data)
	}
	fleet, err := simulate.New(config, slog.New(slog.DiscardHandler))
	return fleet, times, err
}

// recordTimes stores when each record was due and when it was created for sending. It is safe for use by many
// goroutines.
type recordTimes struct {
	dialect.Simulator
	reader dialect.Dialect
	mu     sync.Mutex
	byID   map[string][2]time.Time
}

// Record implements dialect.Simulator. It parses the message like the receiver, since the id depends on the parsed
// content.
func (t *recordTimes) Record(device string, r edgelens.Record, image []byte) dialect.Outgoing {
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
		t.byID[id] = [2]time.Time{r.CapturedAt, now}
	}
	return message
}

// match finds the event of each record that the broker accepted from n terminals.
func (t *recordTimes) match(sent []simulate.Sent, listener *eventListener, n int) []delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	listener.mu.Lock()
	defer listener.mu.Unlock()
	devices := simulate.Serials(serialPrefix, n)
	var all []delivery
	for _, s := range sent {
		times, ok := t.byID[s.ID]
		if !ok || s.Uncertain {
			continue
		}
		d := delivery{terminal: slices.Index(devices, s.Device), due: times[0], sent: times[1], done: time.Now(), status: "no event"}
		if event, ok := listener.events[s.ID]; ok {
			d.done, d.status = event.at, event.status
		}
		all = append(all, d)
	}
	return all
}

// eventListener receives the events like any client of the broker. It is safe for use by many goroutines.
type eventListener struct {
	session *session.Session
	mu      sync.Mutex
	events  map[string]event // the first of each record, by the record's id
	wake    chan struct{}
}

type event struct {
	at     time.Time
	status string
}

func (l *eventListener) start(ctx context.Context, broker session.Address, timeout time.Duration) (err error) {
	l.session, err = session.Start(session.Config{
		Address: broker, ClientID: "edgelens-bench", AckAtOnce: true, OnMessage: l.receive,
		Subscriptions: []session.Subscription{{Filter: "edgelens/v1/events/#", QoS: 1}},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err = session.Await(ctx, broker, timeout, l.session.Up, l.session.LastError); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		l.stop()
	}
	return err
}

func (l *eventListener) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), disconnectTimeout)
	defer cancel()
	_ = l.session.Stop(ctx) // all relevant events have arrived, or an error is known already
}

func (l *eventListener) receive(m session.Message) {
	now := time.Now()
	var body struct {
		ID   string
		Data struct{ Outcome string }
	}
	if json.Unmarshal(m.Payload, &body) != nil {
		return
	}
	status := body.Data.Outcome
	if status == "recognized" || status == "uncertain" {
		status = record.Good
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, again := l.events[body.ID]; !again {
		l.events[body.ID] = event{now, status}
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// await returns once each record has its event, or after the timeout.
func (l *eventListener) await(ctx context.Context, sent []simulate.Sent, timeout time.Duration) {
	end := time.After(timeout)
	for l.missing(sent) {
		select {
		case <-l.wake:
		case <-end:
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
		_, ok := l.events[s.ID]
		return !ok && !s.Uncertain
	})
}
