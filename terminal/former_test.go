//go:build cgo

package terminal_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/terminal/dialects"
	"edgelens/terminal/session"
)

// A client at the terminals' port cannot take over our sessions, in which records are kept.
func TestOtherClientsCannotTakeOurSessions(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) { s.config.URL, s.secret = b.URL(), "3a7f" }).connected()
	c := b.client("c", "edgelens/v1/events/#")
	for _, id := range []string{"edgelens-n1-up", "edgelens-n1-down"} {
		b.client(id, "+", "mqtt/face/#")
	}
	for n := range 20 {
		c.publish(fungxis.Record("F1", record(n), []byte("\xff\xd8 an image")))
	}
	if events := c.waitForEvents("F1", 20); len(events) != 20 {
		t.Errorf("%d events", len(events))
	}
	if text := s.log.String(); strings.Contains(text, "3a7f") || strings.Contains(text, "connection to the MQTT broker lost") || strings.Contains(text, "unreachable") {
		t.Errorf("the secret is logged, or the connection was lost: %s", text)
	}
}

// Messages in the session of an earlier version are not lost.
func TestFormerSessionIsEmptied(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) { s.config.URL = b.URL() }).connected()
	s.stop()
	c := b.client("c", "edgelens/v1/events/#")
	for n := range 10 {
		c.publish(fungxis.Record("F1", record(n), []byte("\xff\xd8 an image")))
	}
	var emptied atomic.Bool
	s.secret, s.emptied = "3a7f", func() error { emptied.Store(true); return nil }
	s.start()
	for _, e := range c.waitForEvents("F1", 10) {
		if !e.Data.Replayed {
			t.Error("a record that waited is fresh")
		}
	}
	testutil.Eventually(t, "the session is empty", emptied.Load)
	c.publish(fungxis.Record("F1", record(10), []byte("\xff\xd8 an image")))
	if events := c.waitForEvents("F1", 11); len(events) != 11 || events[10].Data.Replayed {
		t.Errorf("%d events", len(events))
	}
	// The broker keeps nothing for it any more.
	s.stop()
	c.publish(fungxis.Record("F1", record(11), []byte("\xff\xd8 an image")))
	old, err := session.ParseAddress(b.URL(), "")
	must(t, err)
	var received atomic.Int64
	again, err := session.Start(session.Config{Address: old, ClientID: "edgelens-n1-up", Lasting: time.Minute, OnMessage: func(m session.Message) { received.Add(1); m.Ack() },
		Subscriptions: []session.Subscription{{Filter: "end", QoS: 1}}}, quiet)
	must(t, err)
	defer func() { _ = again.Stop(t.Context()) }()
	testutil.Eventually(t, "it is connected", again.Up)
	c.publishText("end", "x")
	testutil.Eventually(t, "the end arrived", func() bool { return received.Load() > 0 })
	equal(t, "received", received.Load(), 1)
}

// On an open broker every client may report and receive events, but only edgelens may
// publish on our topics.
func TestOpenBrokerKeepsOurTopics(t *testing.T) {
	b := startBroker(t)
	b.stop()
	b.ACL = dialects.OpenRules(dialects.New(dialects.DefaultConfig()), dialects.Roles{})
	b.Start()
	newSite(t, b, func(s *site) { s.config.URL, s.secret = b.URL(), "3a7f" }).connected()
	reader := b.client("reader", "edgelens/v1/#")
	reader.waitFor("edgelens/v1/status", 1)
	for name, url := range map[string]string{"anonymous": b.OpenURL(), "named": strings.Replace(b.OpenURL(), "mqtt://", "mqtt://door:guess@", 1)} {
		c := b.clientAt(url, name)
		device := "F-" + name
		for _, topic := range []string{
			"edgelens/v1/events/" + device, "edgelens/v1/status", "edgelens/v1/status/x", "edgelens/v1/devices/" + device + "/availability",
			"edgelens/v1/devices/" + device + "/seen", "edgelens/v1/nodes/n1/marker",
		} {
			_ = c.Publish(t.Context(), session.Outgoing{Topic: topic, Payload: []byte("forged"), QoS: 1, Retain: true}) // refused
		}
		c.publish(fungxis.Record(device, record(1), []byte("\xff\xd8 an image")))
		c.publish(sluices.Record("S-"+name, record(1), []byte("\xff\xd8 an image")))
		c.publishText("edgelens/v1/devices/C-"+name+"/snapshot", "\xff\xd8 an image")
		for _, device := range []string{device, "S-" + name, "C-" + name} {
			reader.waitForEvents(device, 1)
		}
	}
	late := b.client("late", "edgelens/v1/#")
	late.waitFor("edgelens/v1/status", 1)
	testutil.Eventually(t, "the devices are online", func() bool { return len(late.on("edgelens/v1/devices/F-named/availability")) > 0 })
	for _, c := range []*client{reader, late} {
		c.mu.Lock()
		for _, m := range c.messages {
			if string(m.Payload) == "forged" {
				t.Errorf("forged: %s", m.Topic)
			}
		}
		c.mu.Unlock()
	}
}
