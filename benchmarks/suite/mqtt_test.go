package suite_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/suite"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/terminal/dialect"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

func brokerAt(t *testing.T, url string) session.Address {
	t.Helper()
	address, err := session.ParseAddress(url, "")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// publishEvents publishes an event for each record, with an outcome by terminal; none
// where that is "".
func publishEvents(t *testing.T, broker session.Address, outcomes map[string]string) {
	t.Helper()
	reader := fungxi.New(fungxi.DefaultConfig())
	type outgoing struct{ id, outcome string }
	queue := make(chan outgoing, 10_000)
	config := session.Config{Address: broker, ClientID: "service", AckAtOnce: true, OnMessage: func(m session.Message) {
		message, err := reader.Decode(m.Topic, m.Payload, dialect.Hints{ReceivedAt: time.Now()})
		if err != nil || outcomes[message.Device] == "" {
			return
		}
		for _, entry := range message.Entries {
			sum := sha256.Sum256(entry.Image)
			queue <- outgoing{edgelens.RecordID(reader.Name(), message.Device, entry.Record.Kind, entry.Record.Key, hex.EncodeToString(sum[:])), outcomes[message.Device]}
		}
	}}
	for _, s := range reader.Subscriptions() {
		config.Subscriptions = append(config.Subscriptions, session.Subscription{Filter: s.Filter, QoS: 1})
	}
	s, err := session.Start(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for out := range queue {
			payload, _ := json.Marshal(map[string]any{"id": out.id, "data": map[string]string{"outcome": out.outcome}})
			_ = s.Publish(context.Background(), session.Outgoing{Topic: "edgelens/v1/events/x", Payload: payload, QoS: 1}) // the suite misses it
		}
	})
	t.Cleanup(func() {
		_ = s.Stop(context.Background())
		close(queue)
		publishing.Wait()
	})
	if err := session.Await(t.Context(), broker, time.Minute, s.Up, s.LastError); err != nil {
		t.Fatal(err)
	}
}

func mqttConfig(broker session.Address) suite.MQTTConfig {
	return suite.MQTTConfig{Broker: broker, ConnectTimeout: time.Minute, Terminals: []int{3}, Rate: 300, Images: suite.MadeImages()[:1], Seed: 1, EventTimeout: 2 * time.Second}
}

func TestMQTTSuite(t *testing.T) {
	broker := brokerAt(t, supervisetest.StartMosquitto(t).OpenURL())
	publishEvents(t, broker, map[string]string{"BENCH1": "recognized", "BENCH2": "unusable"})
	server := httptest.NewServer(newFake())
	defer server.Close()
	name := "3 terminals at 300/s"
	want := map[int]string{0: record.Good, 1: "unusable", 2: "no event"}
	seen := map[int]int{}
	for window := 60 * time.Millisecond; len(seen) < len(want); window *= 2 { // a busy machine needs longer
		if window > 30*time.Second {
			t.Fatalf("records by terminal: %v", seen)
		}
		r, err := measureFor(t, window, 1, suite.MQTT(mqttConfig(broker), suite.Remote{Base: server.URL}))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Samples {
			if s.Case != name || s.Status != want[s.Worker] || s.Due > s.Sent || s.Sent > s.Done {
				t.Errorf("%+v, want the status %q", s, want[s.Worker])
			}
			if s.Run == 1 {
				seen[s.Worker]++
			}
		}
		if _, ok := figure(r, name, record.FigureCPU, 1); !ok {
			t.Error("the CPU time is missing")
		}
	}
}

func TestMQTTSuiteWithoutABroker(t *testing.T) {
	server := httptest.NewServer(newFake())
	defer server.Close()
	config := mqttConfig(brokerAt(t, "mqtt://"+testutil.FreeAddress(t)))
	config.ConnectTimeout = 100 * time.Millisecond
	_, err := measure(t, 1, suite.MQTT(config, suite.Remote{Base: server.URL}))
	if err == nil || !strings.Contains(err.Error(), "no connection to the MQTT broker") {
		t.Errorf("%v", err)
	}
}
