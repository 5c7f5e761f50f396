//go:build cgo

package homeassistant

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/models/modeltest"
	"edgelens/terminal/dialect"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

const (
	// control is where the steps of the check ask for what a site does.
	control = "homeassistant/check"
	// serial is that of the terminal.
	serial = "1026700"
	// crowd is how many terminals a crowd has.
	crowd = 200
)

// site has a terminal and a sensor, and does what the steps of the check ask for.
type site struct {
	t               *testing.T
	node            *node
	listener        *session.Session
	terminal, meter *session.Session
	asked           chan request

	// beats is set while the terminal sends heartbeats; of the goroutine of run alone.
	beats bool

	mu      sync.Mutex
	opened  int
	records int
}

// request is a step's: {"do":"record"}.
type request struct {
	Do      string
	Name    string
	Topic   string
	Payload string
	// For is how long the node is stopped, or the site does nothing.
	For string
	// Without is a flag that the node starts without, from now on.
	Without string
}

// newSite connects to a broker at the addresses for the three users.
func newSite(t *testing.T, n *node, home, terminal, meter string) *site {
	t.Helper()
	s := &site{t: t, node: n, asked: make(chan request, 100)}
	s.listener = s.connect(home, "listener", control, func(m session.Message) {
		var asked request
		if err := json.Unmarshal(m.Payload, &asked); err != nil {
			t.Errorf("%s: %v", m.Payload, err)
			return
		}
		s.asked <- asked
	})
	s.terminal = s.connect(terminal, "terminal", "fungxi_"+serial+"_downLink", func(m session.Message) {
		if strings.Contains(string(m.Payload), `"open"`) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.opened++
		}
	})
	s.meter = s.connect(meter, "meter", "", nil)
	return s
}

func (s *site) connect(url, name, filter string, on func(session.Message)) *session.Session {
	s.t.Helper()
	address, err := session.ParseAddress(url, "")
	if err != nil {
		s.t.Fatal(err)
	}
	config := session.Config{Address: address, ClientID: name}
	if on != nil {
		// The broker may be back, and the steps go on, before this client is.
		config.Lasting = time.Hour
		config.AckAtOnce, config.OnMessage = true, on
		config.Subscriptions = []session.Subscription{{Filter: filter, QoS: 1}}
	}
	connected, err := session.Start(config, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = connected.Stop(ctx)
	})
	return connected
}

// publish publishes until the broker confirms, as devices do; not for longer than ctx.
func (s *site) publish(ctx context.Context, as *session.Session, m dialect.Outgoing) {
	for ctx.Err() == nil {
		err := as.Publish(ctx, session.Outgoing{Topic: m.Topic, Payload: m.Payload, QoS: 1})
		if err == nil || errors.Is(err, session.ErrNoSubscriber) {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

var fungxis = fungxi.NewSimulator(func(string) *time.Location { return time.UTC })

// run does what it is asked for, and has the terminal send heartbeats in between, until ctx ends.
func (s *site) run(ctx context.Context) {
	heartbeat := time.NewTicker(5 * time.Second)
	defer heartbeat.Stop()
	for {
		select {
		case asked := <-s.asked:
			s.do(ctx, asked)
		case <-heartbeat.C:
			if s.beats && s.terminal.Up() {
				s.do(ctx, request{Do: "heartbeat"})
			}
		case <-ctx.Done():
			return
		}
	}
}

func (s *site) do(ctx context.Context, asked request) {
	switch asked.Do {
	case "heartbeat":
		s.beats = true
		s.beat(ctx, serial)
	case "crowd":
		for i := range crowd {
			s.beat(ctx, "C"+strconv.Itoa(i))
		}
	case "record":
		s.publish(ctx, s.terminal, s.record(time.Now()))
	case "old record":
		s.publish(ctx, s.terminal, s.record(time.Now().Add(-time.Hour)))
	case "value":
		s.publish(ctx, s.meter, dialect.Outgoing{Topic: asked.Topic, Payload: []byte(asked.Payload)})
	case "rename":
		s.node.call("PATCH", "/api/devices/"+serial, `{"display_name":"`+asked.Name+`"}`)
	case "forget":
		s.beats = false
		s.node.call("DELETE", "/api/devices/"+serial, "")
	case "learn":
		s.node.learn("ajar", "closed", "open")
	case "pause":
		s.pause(ctx, asked.For)
	case "stop":
		s.node.stop()
		if asked.For != "" && s.pause(ctx, asked.For) {
			s.node.start()
		}
	case "kill":
		s.node.kill()
	case "start":
		s.node.flags = slices.DeleteFunc(s.node.flags, func(flag string) bool { return flag == asked.Without })
		s.node.start()
	default:
		s.t.Errorf("a step asks for %q", asked.Do)
	}
}

// beat sends a heartbeat of a terminal.
func (s *site) beat(ctx context.Context, serial string) {
	message, _ := fungxis.Heartbeat(serial, time.Now())
	s.publish(ctx, s.terminal, message)
}

// pause waits, and reports whether ctx has not ended.
func (s *site) pause(ctx context.Context, text string) bool {
	wait, err := time.ParseDuration(text)
	if err != nil {
		s.t.Error(err)
	}
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}

// record is the next record of an admitted person, with an image of its own.
func (s *site) record(at time.Time) dialect.Outgoing {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records++
	record := edgelens.Record{Kind: edgelens.RecordVerified, Key: string(rune('0' + s.records)), Passed: true, CapturedAt: at, Person: edgelens.Person{Name: "Ann"}}
	return fungxis.Record(serial, record, modeltest.Image(modeltest.Red, 20+s.records, 30))
}

// openings is how often the terminal was told to open.
func (s *site) openings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}
