package uplink_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/sensor/uplink"
	"edgelens/terminal/session"
)

// receiver has the topics of what it received, and how the connection went.
type receiver struct {
	mu        sync.Mutex
	messages  []string
	connected []bool
}

func (r *receiver) Receive(topic string, payload []byte, retained bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := topic + " " + string(payload)
	if retained {
		text += " retained"
	}
	r.messages = append(r.messages, text)
	return nil
}

func (r *receiver) Connected(up bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connected = append(r.connected, up)
}

func (*receiver) Topics() []string { return []string{"#"} }

func (r *receiver) has(message string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.messages, message)
}

func (r *receiver) states() []bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.connected)
}

// Messages arrive with MQTT's retained flag, but for our own; the connection is noted when it is lost and comes back.
func TestUplink(t *testing.T) {
	broker := supervisetest.StartMosquitto(t)
	r := &receiver{}
	u, err := uplink.Start(uplink.Config{URL: broker.OpenURL(), Node: "n", MaxMessageBytes: 1 << 20}, r, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Stop(context.Background()) }()
	testutil.Eventually(t, "it is connected", func() bool { return u.Down() == 0 })
	address, err := session.ParseAddress(broker.OpenURL(), "")
	if err != nil {
		t.Fatal(err)
	}
	publisher, err := session.Start(session.Config{Address: address, ClientID: "publisher"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = publisher.Stop(context.Background()) }()
	testutil.Eventually(t, "the publisher is connected", publisher.Up)
	publish := func(topic string, retain bool) {
		t.Helper()
		if err := publisher.Publish(t.Context(), session.Outgoing{Topic: topic, Payload: []byte("1"), QoS: 1, Retain: retain}); err != nil {
			t.Fatal(err)
		}
	}
	publish("edgelens/v1/events/door", false)
	publish("sensors/a", true)
	testutil.Eventually(t, "the value", func() bool { return r.has("sensors/a 1") })
	if r.has("edgelens/v1/events/door 1") {
		t.Error("an event of ours was received as a sensor")
	}

	late := &receiver{}
	second, err := uplink.Start(uplink.Config{URL: broker.OpenURL(), Node: "m", MaxMessageBytes: 1 << 20}, late, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "the retained value", func() bool { return late.has("sensors/a 1 retained") })
	if err := second.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	testutil.Eventually(t, "the loss is noted", func() bool { return slices.Equal(late.states(), []bool{false, true, false}) && second.Down() > 0 })
}

func TestUplinkWithoutAddress(t *testing.T) {
	if _, err := uplink.Start(uplink.Config{URL: "x"}, &receiver{}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error")
	}
	u, err := uplink.Start(uplink.Config{URL: "mqtt://" + testutil.FreeAddress(t), Node: "n"}, &receiver{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "the time without a broker", func() bool { return u.Down() > time.Millisecond })
	if err := u.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
