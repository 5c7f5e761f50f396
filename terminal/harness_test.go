//go:build cgo

package terminal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/terminal"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialects"
	"edgelens/terminal/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker is a real mosquitto.
type broker struct {
	*supervise.Mosquitto
	dir    string
	config supervise.MosquittoConfig
	// acl holds the rules of its users; "" allows everything.
	acl string
	t   testing.TB
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func startBroker(t testing.TB, change ...func(*supervise.MosquittoConfig)) *broker {
	t.Helper()
	supervisetest.FindMosquitto(t)
	b := &broker{dir: t.TempDir(), config: supervise.DefaultMosquittoConfig(), t: t}
	b.config.Listen = freePort(t)
	for _, c := range change {
		c(&b.config)
	}
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	b.t.Helper()
	var err error
	b.Mosquitto, err = supervise.StartMosquitto(context.Background(), b.dir, b.config, b.acl, quiet)
	must(b.t, err)
}

func (b *broker) stop() { _ = b.Stop(context.Background()) }

func (b *broker) url() string { return "mqtt://" + b.config.Listen }

// site is a bridge with everything it needs, and a worker that recognizes "cat" in every
// image.
type site struct {
	metrics  *prometheus.Registry
	t        testing.TB
	broker   *broker
	dir      string
	config   terminal.Config
	dialects dialects.Config
	node     string
	// secret and emptied are ClientSecret and FormerSessionEmptied of its parts.
	secret  string
	emptied func() error

	ledger     *ledger.Ledger
	bridge     *terminal.Bridge
	dispatcher *notify.Dispatcher
	log        *logBuffer
	worker     *worker
}

// worker adapts the ledger to the port, and finishes jobs at once.
type worker struct {
	ledger *ledger.Ledger
	mu     sync.Mutex
	// refuse, where set, is the result of Receive; hold keeps jobs unfinished.
	refuse func(edgelens.Reception) error
	hold   bool
	calls  int
}

func (w *worker) Receive(ctx context.Context, r edgelens.Reception) (bool, error) {
	w.mu.Lock()
	w.calls++
	refuse, hold := w.refuse, w.hold
	w.mu.Unlock()
	if refuse != nil {
		if err := refuse(r); err != nil {
			return false, err
		}
	}
	job, existing, err := w.ledger.Records.Receive(ctx, r)
	if err == nil && job.ID != "" && !hold {
		if _, _, err := w.ledger.Jobs.Start(ctx, job.ID); err != nil {
			return false, err
		}
		result := &edgelens.Result{RequestID: job.ID, Model: edgelens.ModelRef{Name: "m", Digest: "sha256:0"},
			Predictions: []edgelens.Prediction{{ClassID: 1, Label: "cat", Probability: 0.9}}}
		if err := w.ledger.Jobs.Finish(ctx, job.ID, result); err != nil {
			return false, err
		}
	}
	return existing, err
}

func (w *worker) set(change func(*worker)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newSite(t testing.TB, b *broker, change ...func(*site)) *site {
	t.Helper()
	s := &site{t: t, broker: b, dir: t.TempDir(), config: terminal.DefaultConfig(), dialects: dialects.DefaultConfig(), node: "n1", log: &logBuffer{}}
	s.dialects.Zone = "UTC"
	s.config.URL = b.url()
	for _, c := range change {
		c(s)
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *site) start() {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, nil))
	metrics := prometheus.NewRegistry()
	s.metrics = metrics
	var err error
	s.ledger, err = ledger.Open(context.Background(), filepath.Join(s.dir, "ledger"), ledger.DefaultConfig(), ledger.Parts{Log: log, Registerer: metrics})
	must(s.t, err)
	s.worker = &worker{ledger: s.ledger}
	s.bridge, err = terminal.New(context.Background(), s.config, terminal.Parts{
		Dialects: dialects.New(s.dialects), Records: s.worker, Devices: s.ledger.Devices, Commands: s.ledger.Commands,
		Routes: func(*edgelens.Record) []edgelens.Route { return []edgelens.Route{{Sink: terminal.EventsSink}} },
		Zone:   dialects.Zones(s.dialects), Composer: event.Composer{Fresh: s.config.Fresh}, BrokerReportsDrops: true, Node: s.node, ClientSecret: s.secret, FormerSessionEmptied: s.emptied, Log: log, Registerer: metrics,
	})
	must(s.t, err)
	deliveries := notify.DefaultConfig()
	deliveries.MinBackoff, deliveries.MaxBackoff = 10*time.Millisecond, 100*time.Millisecond
	s.dispatcher, err = notify.New(s.ledger.Outbox, deliveries, log, metrics)
	must(s.t, err)
	must(s.t, s.bridge.Start())
	s.dispatcher.Start(s.bridge.Events())
}

func (s *site) connected() *site {
	s.t.Helper()
	eventually(s.t, "the bridge is connected", s.bridge.Connected)
	return s
}

func (s *site) stop() {
	if s.bridge == nil {
		return
	}
	s.dispatcher.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = s.bridge.Stop(ctx)
	_ = s.ledger.Close()
	s.bridge = nil
}

// client is another client of the broker.
type client struct {
	*session.Session
	t        testing.TB
	mu       sync.Mutex
	messages []session.Message
}

func (b *broker) client(name string, filters ...string) *client {
	b.t.Helper()
	return b.clientAt(b.url(), name, filters...)
}

func (b *broker) clientAt(url, name string, filters ...string) *client {
	b.t.Helper()
	c := &client{t: b.t}
	address, err := session.ParseAddress(url, "")
	must(b.t, err)
	config := session.Config{Address: address, ClientID: name, OnMessage: func(m session.Message) {
		m.Ack()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.messages = append(c.messages, m)
	}}
	for _, filter := range filters {
		config.Subscriptions = append(config.Subscriptions, session.Subscription{Filter: filter, QoS: 1})
	}
	c.Session, err = session.Start(config, quiet)
	must(b.t, err)
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.Stop(ctx)
	})
	eventually(b.t, name+" is connected", c.Up)
	return c
}

func (c *client) publishText(topic string, payload string) {
	c.t.Helper()
	c.publishWith(topic, payload, 1, false)
}

func (c *client) publishWith(topic, payload string, qos byte, retain bool) {
	c.t.Helper()
	err := c.Publish(c.t.Context(), session.Outgoing{Topic: topic, Payload: []byte(payload), QoS: qos, Retain: retain})
	if err != nil && err != session.ErrNoSubscriber {
		c.t.Fatal(err)
	}
}

// on returns the payloads received on a topic.
func (c *client) on(topic string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var payloads []string
	for _, m := range c.messages {
		if m.Topic == topic {
			payloads = append(payloads, string(m.Payload))
		}
	}
	return payloads
}

func (c *client) waitFor(topic string, n int) []string {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("%d messages on %s", n, topic), func() bool { return len(c.on(topic)) >= n })
	return c.on(topic)
}

// events returns the events of a device.
func (c *client) events(device string) []event.CloudEvent {
	c.t.Helper()
	var events []event.CloudEvent
	for _, payload := range c.on("edgelens/v1/events/" + device) {
		var e event.CloudEvent
		must(c.t, json.Unmarshal([]byte(payload), &e))
		events = append(events, e)
	}
	return events
}

func (c *client) waitForEvents(device string, n int) []event.CloudEvent {
	c.t.Helper()
	c.waitFor("edgelens/v1/events/"+device, n)
	return c.events(device)
}

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for: %s", what)
		}
	}
}

// scrape returns the lines of the metrics with that prefix.
func (s *site) scrape(prefix string) string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var found strings.Builder
	for line := range strings.SplitSeq(w.Body.String(), "\n") {
		if strings.HasPrefix(line, prefix) {
			found.WriteString(line + "\n")
		}
	}
	return found.String()
}

// setState changes the state of a device.
func (s *site) setState(id string, state edgelens.DeviceState) (edgelens.Device, error) {
	return s.bridge.ChangeDevice(s.t.Context(), id, edgelens.DeviceChange{State: &state})
}

// device returns the device as the bridge reports it.
func (s *site) device(id string) edgelens.Device {
	s.t.Helper()
	d, err := s.bridge.Device(s.t.Context(), id)
	must(s.t, err)
	return d
}

// publish publishes a message of a simulator.
func (c *client) publish(m dialect.Outgoing) {
	c.t.Helper()
	c.publishWith(m.Topic, string(m.Payload), m.QoS, false)
}

func lines(text, containing string) int {
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, containing) {
			n++
		}
	}
	return n
}
