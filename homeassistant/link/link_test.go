package link_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/homeassistant"
	"edgelens/homeassistant/link"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver has what it received, and acknowledges it.
type receiver struct {
	mu       sync.Mutex
	messages []string
}

func (r *receiver) Connected(up bool) {
	if up {
		r.add("connected")
	}
}

func (r *receiver) Receive(m homeassistant.Incoming) {
	text := m.Topic + " " + string(m.Payload)
	if m.Retained {
		text += " retained"
	}
	if m.Waited {
		text += " waited"
	}
	r.add(text)
	m.Ack()
}

func (r *receiver) add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, text)
}

func (r *receiver) has(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.messages, text)
}

func (r *receiver) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.messages, "\n")
}

// start starts a connection.
func start(t *testing.T, config link.Config) (*link.Link, *receiver) {
	t.Helper()
	config.MaxMessageBytes = 1 << 20
	l, r := link.New(config, slog.New(slog.DiscardHandler)), &receiver{}
	if err := l.Publish(t.Context(), "x", nil, false); !errors.Is(err, session.ErrOffline) {
		t.Errorf("before the start: %v", err)
	}
	if err := l.Start(r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(l) })
	testutil.Eventually(t, "it is connected", func() bool { return l.Down() == 0 && r.has("connected") })
	return l, r
}

// stop stops a connection, which may be stopped.
func stop(l *link.Link) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = l.Stop(ctx)
}

// home is a client like Home Assistant.
type home struct {
	*session.Session
	mu       sync.Mutex
	retained map[string]string
	got      map[string]int
}

func newHome(t *testing.T, url string) *home {
	t.Helper()
	address, err := session.ParseAddress(url, "")
	if err != nil {
		t.Fatal(err)
	}
	h := &home{retained: map[string]string{}, got: map[string]int{}}
	h.Session, err = session.Start(session.Config{
		Address: address, ClientID: "home", AckAtOnce: true, Subscriptions: []session.Subscription{{Filter: "#", QoS: 1, RetainAsPublished: true}},
		OnMessage: func(m session.Message) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.got[m.Topic]++
			if m.Retained {
				h.retained[m.Topic] = string(m.Payload)
			}
			if len(m.Payload) == 0 {
				delete(h.retained, m.Topic)
			}
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = h.Stop(ctx)
	})
	testutil.Eventually(t, "Home Assistant is connected", h.Up)
	return h
}

func (h *home) kept(topic string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.retained[topic]
}

func (h *home) count(topic string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got[topic]
}

func (h *home) publish(t *testing.T, topic, payload string, retain bool) {
	t.Helper()
	err := h.Publish(t.Context(), session.Outgoing{Topic: topic, Payload: []byte(payload), QoS: 1, Retain: retain})
	if err != nil && !errors.Is(err, session.ErrNoSubscriber) {
		t.Fatal(err)
	}
}

const command = "edgelens/v1/homeassistant/edgelens-device-door/command"

// Our own messages do not come back; those of others do, and what was retained, or waited while we were away, is marked.
func TestLink(t *testing.T) {
	broker := supervisetest.StartMosquitto(t)
	config := link.Config{URL: broker.OpenURL(), Node: "n", Commands: true}
	l, r := start(t, config)
	h := newHome(t, broker.OpenURL())
	own, other := "homeassistant/device/own/config", "homeassistant/device/other/config"
	if err := l.Publish(t.Context(), own, []byte("{}"), true); err != nil {
		t.Fatal(err)
	}
	h.publish(t, homeassistant.BirthTopic, "online", false)
	h.publish(t, command, "open", false)
	h.publish(t, command, "close", true)
	h.publish(t, other, "{}", true)
	testutil.Eventually(t, "all messages", func() bool { return r.has(other + " {}") })
	for _, want := range []string{homeassistant.BirthTopic + " online", command + " open", command + " close retained"} {
		if !r.has(want) {
			t.Errorf("no %q in:\n%s", want, r.all())
		}
	}
	if strings.Contains(r.all(), own) {
		t.Errorf("our own message:\n%s", r.all())
	}
	stop(l)
	// A user deletes a device while we are away, and presses a button.
	h.publish(t, own, "", true)
	h.publish(t, command, "late", false)
	_, again := start(t, config)
	testutil.Eventually(t, "the deletion, and the command", func() bool {
		return strings.Contains(again.all(), own+" ") && again.has(command+" late waited")
	})
	h.publish(t, command, "now", false)
	testutil.Eventually(t, "the next command", func() bool { return again.has(command + " now") })
}

// When Home Assistant is not served any more, the broker keeps nothing for us.
func TestLinkEnds(t *testing.T) {
	broker := supervisetest.StartMosquitto(t)
	config := link.Config{URL: broker.OpenURL(), Node: "n"}
	before, _ := start(t, config)
	stop(before)
	config.Ends = true
	ends, _ := start(t, config)
	stop(ends)
	h := newHome(t, broker.OpenURL())
	h.publish(t, "homeassistant/device/own/config", "", true)
	config.Ends = false
	_, after := start(t, config)
	h.publish(t, homeassistant.BirthTopic, "online", false)
	testutil.Eventually(t, "a later message", func() bool { return after.has(homeassistant.BirthTopic + " online") })
	if strings.Contains(after.all(), "own") {
		t.Errorf("received:\n%s", after.all())
	}
}

func TestLinkWithoutAddress(t *testing.T) {
	l := link.New(link.Config{URL: "x"}, slog.New(slog.DiscardHandler))
	if err := l.Start(&receiver{}); err == nil {
		t.Error("no error")
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// The nodes of a group know each other, also after the broker was away, and a command reaches one of them.
func TestLinksOfGroup(t *testing.T) {
	broker := supervisetest.StartMosquitto(t)
	first, a := start(t, link.Config{URL: broker.OpenURL(), Node: "a", Group: "g", Commands: true})
	_, b := start(t, link.Config{URL: broker.OpenURL(), Node: "b", Group: "g", Commands: true})
	testutil.Eventually(t, "they know each other", func() bool {
		return a.has(homeassistant.PeerTopic("b")+" online") && strings.Contains(b.all(), homeassistant.PeerTopic("a")+" online")
	})
	h := newHome(t, broker.OpenURL())
	for range 10 {
		h.publish(t, command, "open", false)
	}
	testutil.Eventually(t, "all commands", func() bool { return strings.Count(a.all()+b.all(), command+" open") == 10 })
	if err := first.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	testutil.Eventually(t, "b knows that a is gone", func() bool { return b.has(homeassistant.PeerTopic("a") + " offline") })
}

// announce runs an Announcer with a real connection and one terminal, until the test ends or stop is called.
func announce(t *testing.T, config link.Config, file string) (stopAll func(), log *testutil.LogBuffer, published func() float64) {
	t.Helper()
	log = &testutil.LogBuffer{}
	metrics := prometheus.NewRegistry()
	config.MaxMessageBytes = 1 << 20
	l := link.New(config, log.Logger())
	settings := homeassistant.DefaultConfig()
	settings.Discovery = true
	timing := homeassistant.DefaultTiming()
	timing.Refresh, timing.Debounce, timing.BirthJitter, timing.Pace = 100*time.Millisecond, 50*time.Millisecond, 10*time.Millisecond, time.Millisecond
	topic := func(device string) string { return "edgelens/v1/x/" + device }
	announcer, err := homeassistant.New(settings, homeassistant.Parts{
		Broker: l, Node: homeassistant.Node{Name: config.Node, Version: "1"}, File: file, Log: log.Logger(), Registerer: metrics, Timing: timing,
		Topics: homeassistant.Topics{Status: "edgelens/v1/status", Availability: topic, Events: topic, Insights: topic},
		Devices: func(context.Context) ([]edgelens.Device, error) {
			return []edgelens.Device{{ID: "door", Dialect: "fungxi", State: edgelens.DeviceAccepted}}, nil
		},
		Series: func(context.Context) ([]edgelens.Series, error) { return nil, nil },
		State:  func(context.Context) homeassistant.NodeState { return homeassistant.NodeState{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := announcer.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := l.Start(announcer); err != nil {
		t.Fatal(err)
	}
	stopAll = sync.OnceFunc(func() { stop(l); cancel(); running.Wait() })
	t.Cleanup(stopAll)
	return stopAll, log, func() float64 { return testutil.Metrics(t, metrics)["edgelens_homeassistant_published_total config"] }
}

const doorConfig = "homeassistant/device/edgelens-device-door/config"

// Over a real broker: devices are made known, again at a birth and when the broker was away and has lost everything; what a
// user deletes stays deleted, also where that happened while we were away.
func TestAnnouncerOverBroker(t *testing.T) {
	broker := supervisetest.StartMosquitto(t)
	config, file := link.Config{URL: broker.OpenURL(), Node: "n"}, filepath.Join(t.TempDir(), "book.json")
	stopFirst, _, published := announce(t, config, file)
	h := newHome(t, broker.OpenURL())
	known := func() bool { return h.kept(doorConfig) != "" }
	testutil.Eventually(t, "the device is known", known)
	before := h.count(doorConfig)
	h.publish(t, homeassistant.BirthTopic, "online", false)
	testutil.Eventually(t, "it is made known again", func() bool { return h.count(doorConfig) > before })

	if err := broker.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := published()
	broker.Start()
	testutil.Eventually(t, "all is published again", func() bool { return h.Up() && published() >= sent+2 })

	stopFirst()
	h.publish(t, doorConfig, "", true)
	_, log, _ := announce(t, config, file)
	testutil.Eventually(t, "the deletion is noted", func() bool { return log.Contains("homeassistant_deleted") })
	h.publish(t, homeassistant.BirthTopic, "online", false)
	testutil.Eventually(t, "the others are made known again", func() bool {
		return log.Contains("homeassistant_birth") && h.kept("homeassistant/device/edgelens-node-n/config") != ""
	})
	if known() {
		t.Error("a deleted device is known again")
	}
}
