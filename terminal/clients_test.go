//go:build cgo

package terminal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/notify/event"
	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/terminal/dialect"
	"edgelens/terminal/facesluice"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

// broker is a real mosquitto.
type broker struct {
	*supervisetest.Mosquitto
	t testing.TB
}

func startBroker(t testing.TB, change ...func(*supervise.MosquittoConfig)) *broker {
	t.Helper()
	return &broker{supervisetest.StartMosquitto(t, change...), t}
}

func (b *broker) stop() { _ = b.Stop(context.Background()) }

// client is another client of the broker.
type client struct {
	*session.Session
	t        testing.TB
	mu       sync.Mutex
	messages []session.Message
}

func (b *broker) client(name string, filters ...string) *client {
	b.t.Helper()
	return b.clientAt(b.OpenURL(), name, filters...)
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
	testutil.Eventually(b.t, name+" is connected", c.Up)
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
	testutil.Eventually(c.t, fmt.Sprintf("%d messages on %s", n, topic), func() bool { return len(c.on(topic)) >= n })
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

// publish publishes a message of a simulator.
func (c *client) publish(m dialect.Outgoing) {
	c.t.Helper()
	c.publishWith(m.Topic, string(m.Payload), m.QoS, false)
}

var (
	fungxis = fungxi.NewSimulator(func(string) *time.Location { return time.UTC })
	sluices = facesluice.NewSimulator(func(string) *time.Location { return time.UTC })
)

// record returns the nth record of a terminal, captured now.
func record(n int) edgelens.Record {
	return edgelens.Record{
		Kind: edgelens.RecordVerified, Key: fmt.Sprint(n), Passed: true, CapturedAt: time.Now(),
		Person: edgelens.Person{ID: fmt.Sprint(n), Name: "Ann"},
	}
}
