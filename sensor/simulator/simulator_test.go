package simulator_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/sensor/simulator"
	"edgelens/terminal/session"
)

// Every value of every sensor arrives at the broker, under the topic.
func TestValuesArrive(t *testing.T) {
	broker := supervisetest.StartMosquitto(t)
	address, err := session.ParseAddress(broker.OpenURL(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got, strange atomic.Int64
	listener, err := session.Start(session.Config{
		Address: address, ClientID: "listener", AckAtOnce: true, Subscriptions: []session.Subscription{{Filter: "plant/sensors/#"}},
		OnMessage: func(m session.Message) {
			got.Add(1)
			var value struct {
				Device      string   `json:"device_id"`
				Temperature *float64 `json:"temperature"`
			}
			if json.Unmarshal(m.Payload, &value) != nil || value.Temperature == nil || m.Topic != "plant/sensors/"+value.Device {
				strange.Add(1)
			}
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Stop(t.Context()) }()
	testutil.Eventually(t, "the listener is connected", listener.Up)
	c := simulator.DefaultCommand()
	c.BrokerURL, c.Topic, c.Rate, c.Duration = broker.OpenURL(), "plant/sensors", 200, time.Second
	var out bytes.Buffer
	if err := c.Run(t.Context(), &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "values") {
		t.Errorf("output %q", &out)
	}
	testutil.Eventually(t, "the values", func() bool { return got.Load() >= 150 })
	if n := strange.Load(); n > 0 {
		t.Errorf("%d messages are not as wanted", n)
	}
}

func TestInvalidCommands(t *testing.T) {
	for name, change := range map[string]func(*simulator.Command){
		"no rate":          func(c *simulator.Command) { c.Rate = 0 },
		"a wildcard":       func(c *simulator.Command) { c.Topic = "sensors/#" },
		"no broker":        func(c *simulator.Command) { c.BrokerURL = "x" },
		"nobody listening": func(c *simulator.Command) { c.BrokerURL = "mqtt://" + testutil.FreeAddress(t) },
	} {
		c := simulator.DefaultCommand()
		change(&c)
		if err := c.Run(t.Context(), &bytes.Buffer{}, t.Output()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
