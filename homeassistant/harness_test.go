package homeassistant_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/homeassistant"
	"edgelens/internal/testutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is the id of the node's device, door that of the terminal "door", hall that of the sensor "hall".
const (
	node = "edgelens-node-n1"
	door = "edgelens-device-door"
	hall = "edgelens-sensor-hall"
)

func configTopic(id string) string { return "homeassistant/device/" + id + "/config" }

// message is one that was published.
type message struct {
	topic, payload string
	retain         bool
	at             time.Time
}

// broker is a homeassistant.Broker in memory.
type broker struct {
	mu       sync.Mutex
	all      []message
	retained map[string]string
	fail     error
	// tooLarge is refused for its size.
	tooLarge string
	// crossing, where set, is called once while a message on the topic is on its way.
	crossing map[string]func()
}

func (b *broker) Publish(_ context.Context, topic string, payload []byte, retain bool) error {
	if crossing := b.crossing[topic]; crossing != nil {
		delete(b.crossing, topic)
		crossing()
		time.Sleep(time.Millisecond)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	if topic == b.tooLarge {
		return edgelens.ErrTooLarge
	}
	b.all = append(b.all, message{topic, string(payload), retain, time.Now()})
	if retain {
		b.retained[topic] = string(payload)
		if len(payload) == 0 {
			delete(b.retained, topic)
		}
	}
	return nil
}

func (b *broker) setFail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// on returns the messages on a topic.
func (b *broker) on(topic string) (found []message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.all {
		if m.topic == topic {
			found = append(found, m)
		}
	}
	return found
}

// kept returns what is retained on a topic.
func (b *broker) kept(topic string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.retained[topic]
}

// ids returns the devices that are made known.
func (b *broker) ids() (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for topic := range b.retained {
		if id, ok := strings.CutSuffix(strings.TrimPrefix(topic, "homeassistant/device/"), "/config"); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// house has what the parts of an Announcer return.
type house struct {
	t        *testing.T
	mu       sync.Mutex
	devices  map[string]edgelens.Device
	series   []edgelens.Series
	states   []edgelens.State
	problems []string
	fail     error
	sent     []string

	file    string
	config  homeassistant.Config
	group   string
	name    string
	broker  *broker
	metrics *prometheus.Registry
	log     *testutil.LogBuffer
	// Announcer runs between start and stop.
	*homeassistant.Announcer
	stop func()
}

func terminal(id, name string) edgelens.Device {
	return edgelens.Device{
		ID: id, Dialect: "fungxi", State: edgelens.DeviceAccepted, Online: true, FirstSeen: time.Unix(1000, 0), LastSeen: time.Unix(2000, 0),
		Settings: edgelens.DeviceSettings{DisplayName: name}, Counters: edgelens.DeviceCounters{Records: 3},
	}
}

// newHouse returns a house with a terminal "door" and a sensor "hall".
func newHouse(t *testing.T) *house {
	h := &house{
		t: t, devices: map[string]edgelens.Device{"door": terminal("door", "Front door")}, file: filepath.Join(t.TempDir(), "book.json"), name: "n1",
		config: homeassistant.DefaultConfig(), broker: &broker{retained: map[string]string{}},
		series: []edgelens.Series{{Device: "hall", Field: "temperature", Unit: "°C", Last: 21.5, Points: 9}},
	}
	h.config.Discovery = true
	return h
}

// run starts an Announcer, connected, in a bubble of synctest.
func (h *house) run() {
	h.t.Helper()
	h.metrics, h.log = prometheus.NewRegistry(), &testutil.LogBuffer{}
	var err error
	h.Announcer, err = homeassistant.New(h.config, homeassistant.Parts{
		Broker: h.broker, Node: homeassistant.Node{Name: h.name, Version: "1.2.3", Group: h.group},
		Topics: homeassistant.Topics{
			Status: "status", Availability: func(d string) string { return "availability/" + d },
			Events: func(d string) string { return "events/" + d }, Insights: func(d string) string { return "insights/" + d + "/+" },
		},
		Devices: h.list, Commander: h, File: h.file, Log: h.log.Logger(), Registerer: h.metrics,
		Series: func(context.Context) ([]edgelens.Series, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return slices.Clone(h.series), h.fail
		},
		States: func(context.Context) ([]edgelens.State, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return slices.Clone(h.states), h.fail
		},
		State: func(context.Context) homeassistant.NodeState {
			h.mu.Lock()
			defer h.mu.Unlock()
			return homeassistant.NodeState{Problems: h.problems, StartedAt: time.Unix(1000, 0)}
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Error(err)
		}
	})
	h.Connected(true)
}

// settle waits until nothing is due.
func (h *house) settle() {
	time.Sleep(20 * time.Second)
	synctest.Wait()
}

func (h *house) list(context.Context) ([]edgelens.Device, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Values(h.devices), func(a, b edgelens.Device) int { return strings.Compare(a.ID, b.ID) }), h.fail
}

// change changes the devices.
func (h *house) change(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// CheckCommand implements homeassistant.Commander: cameras have no commands, and no device has "dance".
func (h *house) CheckCommand(device string, body json.RawMessage) error {
	if strings.HasPrefix(device, "camera") || strings.Contains(string(body), "dance") {
		return errors.New("no such command")
	}
	return nil
}

// Send implements homeassistant.Commander.
func (h *house) Send(_ context.Context, device string, body json.RawMessage, ttl time.Duration) (edgelens.Command, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, fmt.Sprint(device, " ", string(body), " ", ttl))
	return edgelens.Command{ID: "c1", Device: device, Body: body}, nil
}

func (h *house) commands() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sent)
}

// receive passes a message on, and reports whether it was acknowledged.
func (h *house) receive(m homeassistant.Incoming) (acknowledged bool) {
	var mu sync.Mutex
	m.Ack = func() { mu.Lock(); defer mu.Unlock(); acknowledged = true }
	h.Receive(m)
	synctest.Wait()
	mu.Lock()
	defer mu.Unlock()
	return acknowledged
}

// delete has a user delete a device in Home Assistant, which empties its topic.
func (h *house) delete(id string) (acknowledged bool) {
	h.broker.mu.Lock()
	delete(h.broker.retained, configTopic(id))
	h.broker.mu.Unlock()
	return h.receive(homeassistant.Incoming{Topic: configTopic(id)})
}

// bubble runs a test in a bubble of synctest, with a house.
func bubble(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		defer func() {
			if h.stop != nil {
				h.stop()
			}
			if t.Failed() && h.log != nil {
				t.Log(h.log)
			}
		}()
		test(t, h)
	})
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
