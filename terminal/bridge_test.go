//go:build cgo

package terminal_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise"
	"edgelens/terminal"
	"edgelens/terminal/dialect"
	"edgelens/terminal/facesluice"
	"edgelens/terminal/fungxi"
)

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

func TestHeartbeats(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "fungxi_F1_downLink", "mqtt/face/S1", "edgelens/v1/devices/#", "edgelens/v1/status")
	for name, test := range map[string]struct {
		simulator dialect.Simulator
		device    string
		answers   bool
	}{
		"fungxi":     {fungxis, "F1", true},
		"facesluice": {sluices, "S1", false},
	} {
		heartbeat, _ := test.simulator.Heartbeat(test.device, time.Now())
		c.publish(heartbeat)
		if test.answers {
			answer := c.waitFor(test.simulator.Subscriptions(test.device)[0], 1)
			equal(t, "answer", test.simulator.Read(test.simulator.Subscriptions(test.device)[0], []byte(answer[0])).Kind, dialect.HeartbeatAnswer)
		}
		equal(t, "availability", c.waitFor("edgelens/v1/devices/"+test.device+"/availability", 1)[0], "online")
		d := s.device(test.device)
		if d.Dialect != name || !d.Online || d.Counters.Heartbeats != 1 || d.State != edgelens.DeviceAccepted {
			t.Errorf("%+v", d)
		}
	}
	online, _ := sluices.Online("S1", time.Now())
	c.publish(online)
	answer := c.waitFor("mqtt/face/S1", 1)
	equal(t, "answer to Online", sluices.Read("mqtt/face/S1", []byte(answer[0])).Kind, dialect.OnlineAnswer)
	equal(t, "status", c.waitFor("edgelens/v1/status", 1)[0], "online")
	s.stop()
	equal(t, "status", c.waitFor("edgelens/v1/status", 2)[1], "offline")
	// The devices are known after a restart, with their counters.
	s.start()
	if d := s.device("F1"); !d.Online || d.Counters.Heartbeats != 1 {
		t.Errorf("after a restart: %+v", d)
	}
}

// A record that is sent again is acknowledged again, and is one event.
func TestRepeatedRecordIsOneEvent(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "mqtt/face/S1", "edgelens/v1/events/#")
	r, image := record(1), []byte("\xff\xd8 an image \xff\xd9")
	message := sluices.Record("S1", r, image)
	c.publish(message)
	e := c.waitForEvents("S1", 1)[0]
	c.waitFor("mqtt/face/S1", 1)
	c.publish(message)
	acks := c.waitFor("mqtt/face/S1", 2)
	s.stop()
	s.start()
	s.connected()
	c.publish(message)
	acks = append(acks, c.waitFor("mqtt/face/S1", 3)[2])
	c.publish(sluices.Record("S1", record(2), image)) // any earlier event arrives before this one
	events := c.waitForEvents("S1", 2)
	for _, ack := range acks {
		if got := sluices.Read("mqtt/face/S1", []byte(ack)); got.Kind != dialect.RecordAck || got.Key != "1" {
			t.Errorf("%s: %+v", ack, got)
		}
	}
	if len(events) != 2 || events[1].ID == e.ID {
		t.Errorf("%d events", len(events))
	}
	if e.Data.Outcome != edgelens.OutcomeRecognized || e.Data.Device != "S1" || !e.Data.Passed || e.Data.Replayed || e.Data.Predictions[0].Label != "cat" {
		t.Errorf("%+v", e)
	}
	eventually(t, "all are counted, which follows their delivery", func() bool {
		counters := s.device("S1").Counters
		return counters.Records == 4 && counters.Duplicates == 2
	})
}

// A message that the broker had kept, or that is old by the device's clock, is never fresh.
func TestOldRecordsAreReplayed(t *testing.T) {
	b := startBroker(t)
	c := b.client("c", "edgelens/v1/#")
	kept := fungxis.Record("F1", record(1), []byte("image"))
	c.publishWith(kept.Topic, string(kept.Payload), 1, true)
	heartbeat, _ := fungxis.Heartbeat("F2", time.Now())
	c.publishWith(heartbeat.Topic, string(heartbeat.Payload), 1, true)
	s := newSite(t, b).connected()
	equal(t, "retained: replayed", c.waitForEvents("F1", 1)[0].Data.Replayed, true)
	if d := s.device("F1"); d.Online {
		t.Error("a retained record set its device online")
	}
	if _, err := s.bridge.Device(t.Context(), "F2"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("a retained heartbeat made a device: %v", err)
	}
	old := record(2)
	old.CapturedAt = time.Now().Add(-time.Hour)
	c.publish(fungxis.Record("F1", old, []byte("image")))
	e := c.waitForEvents("F1", 2)[1]
	if !e.Data.Replayed || e.Data.AgeMS < 3500_000 {
		t.Errorf("an hour old: replayed %v, age %d ms", e.Data.Replayed, e.Data.AgeMS)
	}
	// After a restart and with a new broker nothing is published again.
	s.stop()
	s.start()
	s.connected()
	b.stop()
	b.start()
	eventually(t, "the bridge is reconnected", s.bridge.Connected)
	eventually(t, "the client is reconnected", c.Up)
	c.publish(fungxis.Record("F1", record(3), []byte("image")))
	if events := c.waitForEvents("F1", 3); len(events) != 3 || events[2].Data.Replayed {
		t.Errorf("%d events, the last replayed: %v", len(events), events[len(events)-1].Data.Replayed)
	}
	// The broker retains nothing but presence and status.
	late := b.client("late", "edgelens/v1/#")
	late.waitFor("edgelens/v1/status", 1)
	if len(late.events("F1")) > 0 {
		t.Error("the broker retains events")
	}
}

// A message that waited at the broker while we were disconnected is not fresh, whatever its
// time; later messages are.
func TestMessagesThatWaitedAreReplayed(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) { s.config.Fresh = time.Second }).connected()
	c := b.client("c", "edgelens/v1/#")
	const topic = "edgelens/v1/devices/cam/snapshot"
	c.publishText(topic, "before")
	equal(t, "before: replayed", c.waitForEvents("cam", 1)[0].Data.Replayed, false)
	for i, restart := range []func(){
		func() {
			s.stop()
			c.waitFor("edgelens/v1/status", 2)
			c.publishText(topic, "away")
			time.Sleep(1100 * time.Millisecond)
			s.start()
		},
		func() {
			s.stop()
			c.publishText(topic, "again")
			c.publish(fungxis.Record("F1", record(1), []byte("image")))
			s.start()
		}, // however short: the duration is unknown
	} {
		restart()
		s.connected()
		events := c.waitForEvents("cam", 2*i+2)
		equal(t, "away: replayed", events[2*i+1].Data.Replayed, true)
		eventually(t, "new messages are fresh", func() bool {
			c.publishText(topic, fmt.Sprint("now ", i))
			events = c.waitForEvents("cam", 2*i+3)
			return !events[len(events)-1].Data.Replayed
		})
		equal(t, "events", len(events), 2*i+3)
	}
	// Whatever the time of the device.
	e := c.waitForEvents("F1", 1)[0].Data
	equal(t, "with a time: freshness", e.Freshness, string(edgelens.FreshnessReplayed))
	equal(t, "reason", e.FreshnessReason, "The message may have waited at the MQTT broker while edgelens was disconnected.")
}

func TestBadMessages(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "fungxi_F1_downLink", "edgelens/v1/events/#")
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	c.publish(heartbeat)
	c.waitFor("fungxi_F1_downLink", 1)
	huge := base64.StdEncoding.EncodeToString(make([]byte, 10<<20))
	answered := 1
	for name, message := range map[string][2]string{
		"not JSON":            {"fungxi_F1_upLink", "hello"},
		"nothing":             {"fungxi_F1_upLink", ""},
		"another type":        {"fungxi_F1_upLink", `[1,2]`},
		"half":                {"fungxi_F1_upLink", `{"cmd":"verifiedRecordU","data":[{"num":`},
		"wrong types":         {"fungxi_F1_upLink", `{"cmd":{"a":1},"data":7}`},
		"data of wrong types": {"fungxi_F1_upLink", `{"cmd":"verifiedRecordU","data":[7,"x",null]}`},
		"huge numbers":        {"fungxi_F1_upLink", `{"cmd":"verifiedRecordU","data":[{"num":1e999,"verifiedCode":99999999999999999999}]}`},
		"10 MB of base64":     {"fungxi_F1_upLink", `{"cmd":"verifiedRecordU","data":[{"num":"9","liveImageBase64":"` + huge + `"}]}`},
		"broken base64":       {"fungxi_F1_upLink", `{"cmd":"verifiedRecordU","data":[{"num":"10","liveImageBase64":"%%%"}]}`},
		"unknown":             {"fungxi_F1_upLink", `{"cmd":"danceU"}`},
		"not UTF-8":           {"fungxi_F1_upLink", "{\"cmd\":\"\xff\xfe\"}"},
		"deeply nested":       {"fungxi_F1_upLink", strings.Repeat(`{"a":`, 100_000)},
		"a long serial":       {"fungxi_" + strings.Repeat("9", 60<<10) + "_upLink", `{"cmd":"heartU"}`},
		"a strange serial":    {"fungxi_a b_upLink", `{"cmd":"heartU"}`},
		"a serial with a %":   {"fungxi_%2f_upLink", `{"cmd":"heartU"}`},
		"a shared topic":      {"mqtt/face/heartbeat", `{"operator":"HeartBeat","info":{"facesluiceId":"#"}}`},
		"levels in a serial":  {"mqtt/face/basic", `{"operator":"Online","info":{"facesluiceId":"a/b"}}`},
		"an empty snapshot":   {"edgelens/v1/devices/F1/snapshot", ""},
		"an unknown topic":    {"hello", "world"},
	} {
		for range 3 {
			c.publishWith(message[0], message[1], 1, false)
		}
		c.publish(heartbeat)
		answered++
		if got := len(c.waitFor("fungxi_F1_downLink", answered)); got != answered {
			t.Fatalf("after %s: %d answers to %d heartbeats", name, got, answered)
		}
	}
	eventually(t, "all is counted", func() bool { c := s.device("F1").Counters; return c.Records >= 9 })
	counters := s.device("F1").Counters
	if counters.Malformed < 12 || counters.Unknown < 3 || counters.UnknownNames["danceU"] != 3 {
		t.Errorf("%+v", counters)
	}
	log := s.log.String()
	if n := lines(log, "not understood"); n == 0 || n > 6 { // F1, and each topic that names no device
		t.Errorf("%d log lines of messages that were not understood", n)
	}
	if found := regexp.MustCompile(`[A-Za-z0-9+/]{200}`).FindString(log); found != "" {
		t.Errorf("base64 in the log: %.80s", found)
	}
	// A record with a bad image is an event, too, once.
	events := c.waitForEvents("F1", 3)
	for _, e := range events {
		if e.Data.Outcome == edgelens.OutcomeRecognized && e.Data.Image == nil || e.Data.Outcome == edgelens.OutcomeNoImage && e.Data.Reason == "" {
			t.Errorf("%+v", e.Data)
		}
	}
}

// A record is acknowledged once it is stored, and not before: a record that cannot be
// stored is sent again, to a later process, too.
func TestNothingIsAcknowledgedBeforeItIsStored(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "mqtt/face/S1", "edgelens/v1/events/#")
	s.worker.set(func(w *worker) {
		w.refuse = func(edgelens.Reception) error { return fmt.Errorf("write: %w", edgelens.ErrDiskFull) }
	})
	message := sluices.Record("S1", record(1), []byte("image"))
	message.QoS = 1
	c.publish(message)
	tried := func() int { s.worker.mu.Lock(); defer s.worker.mu.Unlock(); return s.worker.calls }
	eventually(t, "it is retried", func() bool { return tried() >= 2 })
	equal(t, "acknowledgements", len(c.on("mqtt/face/S1")), 0)
	s.stop()
	s.start()
	c.waitForEvents("S1", 1)
	c.waitFor("mqtt/face/S1", 1)
	if log := s.log.String(); !strings.Contains(log, "storing a record failed") {
		t.Error("the failure is not logged")
	}
}

// Messages that the broker drops because we accept nothing for too long are logged.
func TestDropsAtTheBrokerAreLogged(t *testing.T) {
	b := startBroker(t, func(c *supervise.MosquittoConfig) { c.MaxQueuedBytes = 1 << 20 })
	s := newSite(t, b).connected()
	s.worker.set(func(w *worker) {
		w.refuse = func(edgelens.Reception) error { return fmt.Errorf("write: %w", edgelens.ErrDiskFull) }
	})
	c := b.client("c")
	message := fungxis.Record("F1", record(1), make([]byte, 1_000_000))
	message.QoS = 1
	for range 200 { // more than our queues and the broker's buffers hold
		c.publish(message)
	}
	eventually(t, "it is logged", func() bool { return strings.Contains(s.log.String(), "event=mqtt_messages_dropped") })
}

func TestUnsavableRecordDoesNotBlockQueue(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	s.worker.set(func(w *worker) {
		w.refuse = func(r edgelens.Reception) error {
			switch r.Record.Person.ID {
			case "1":
				return fmt.Errorf("no: %w", edgelens.ErrInvalid)
			case "2":
				return errors.New("an unknown error")
			}
			return nil
		}
	})
	// The second record is tried ten times, which takes a while; other devices do not wait.
	for n := range 3 {
		c.publish(fungxis.Record("F1", record(n+1), []byte("image")))
	}
	c.publish(fungxis.Record("F2", record(4), []byte("image")))
	c.waitForEvents("F2", 1)
	equal(t, "lost", s.device("F1").Counters.Lost, 1)
}

func TestUnknownDevices(t *testing.T) {
	b := startBroker(t)
	c := b.client("c", "fungxi_F1_downLink", "edgelens/v1/events/#")
	report := func(n int) {
		heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
		c.publish(heartbeat)
		c.publish(fungxis.Record("F1", record(n), []byte("image")))
	}
	for name, test := range map[string]struct {
		unknown   string
		state     edgelens.DeviceState
		heartbeat bool
		events    int // once it is accepted
	}{
		"accepted":    {terminal.UnknownAccept, edgelens.DeviceAccepted, true, 2},
		"quarantined": {terminal.UnknownQuarantine, edgelens.DeviceQuarantined, true, 2},
		"refused":     {terminal.UnknownRefuse, edgelens.DeviceRefused, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c.mu.Lock()
			c.messages = nil
			c.mu.Unlock()
			s := newSite(t, b, func(s *site) { s.config.Unknown = test.unknown }).connected()
			report(1)
			eventually(t, "it is known", func() bool { d, err := s.bridge.Device(t.Context(), "F1"); return err == nil && d.State == test.state })
			if test.heartbeat {
				c.waitFor("fungxi_F1_downLink", 1)
				eventually(t, "its record is stored", func() bool { return s.device("F1").Counters.Records == 1 })
			}
			if test.state != edgelens.DeviceAccepted {
				equal(t, "events before", len(c.events("F1")), 0)
			}
			if _, err := s.setState("F1", edgelens.DeviceAccepted); err != nil {
				t.Fatal(err)
			}
			report(2)
			if events := c.waitForEvents("F1", test.events); len(events) != test.events {
				t.Errorf("%d events, want %d", len(events), test.events)
			}
			s.stop()
		})
	}
	s := newSite(t, b).connected()
	for _, bad := range []edgelens.DeviceState{"", "deleted"} {
		if _, err := s.setState("F1", bad); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("state %q: %v", bad, err)
		}
	}
	if _, err := s.setState("unknown", edgelens.DeviceAccepted); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("an unknown device: %v", err)
	}
}

// A record that is being stored while its device is accepted is delivered, too.
func TestDeviceAcceptedWhileARecordIsStored(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) { s.config.Unknown = terminal.UnknownQuarantine }).connected()
	s.worker.set(func(w *worker) {
		w.refuse = func(edgelens.Reception) error {
			_, err := s.setState("F1", edgelens.DeviceAccepted)
			return err
		}
	})
	c := b.client("c", "edgelens/v1/events/#")
	c.publish(fungxis.Record("F1", record(1), []byte("image")))
	c.waitForEvents("F1", 1)
}

func TestMaxDevices(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) { s.config.MaxDevices = 2 }).connected()
	c := b.client("c", "fungxi_F1_downLink", "edgelens/v1/events/#")
	for n := 2; n < 10; n++ {
		heartbeat, _ := fungxis.Heartbeat(fmt.Sprint("X", n), time.Now())
		c.publish(heartbeat)
	}
	eventually(t, "two are known", func() bool { d, _ := s.bridge.Devices(t.Context()); return len(d) == 2 })
	// A serial number belongs to the dialect that used it first.
	c.publish(fungxis.Record("X2", record(1), []byte("image")))
	c.waitForEvents("X2", 1)
	c.publishText("edgelens/v1/devices/X2/snapshot", "image")
	c.publish(fungxis.Record("X2", record(2), []byte("image")))
	if events := c.waitForEvents("X2", 2); len(events) != 2 || events[1].Data.Dialect != fungxi.Name {
		t.Errorf("%d events", len(events))
	}
	if log := s.log.String(); !strings.Contains(log, "max_devices") || !strings.Contains(log, "used the dialect fungxi before") {
		t.Errorf("the log lacks the reason:\n%s", log)
	}
}

func TestSilentDevicesAreOffline(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) {
		s.dialects.Fungxi.Heartbeat, s.dialects.Fungxi.OfflineAfter = time.Second, time.Second
	}).connected()
	c := b.client("c", "edgelens/v1/devices/#")
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	c.publish(heartbeat)
	published := c.waitFor("edgelens/v1/devices/F1/availability", 2)
	equal(t, "availability", fmt.Sprint(published), "[online offline]")
	equal(t, "online", s.device("F1").Online, false)
	c.publish(heartbeat)
	c.waitFor("edgelens/v1/devices/F1/availability", 3)
	// A device that reports that it goes offline is offline.
	online, _ := sluices.Heartbeat("S1", time.Now())
	c.publish(online)
	c.waitFor("edgelens/v1/devices/S1/availability", 1)
	c.publishText("mqtt/face/basic", `{"operator":"Offline","info":{"facesluiceId":"S1"}}`)
	equal(t, "availability", c.waitFor("edgelens/v1/devices/S1/availability", 2)[1], "offline")
	// The presence is retained for later subscribers.
	late := b.client("late", "edgelens/v1/devices/#")
	equal(t, "retained", late.waitFor("edgelens/v1/devices/S1/availability", 1)[0], "offline")
}

// Two nodes of a group share the messages, and both know the presence of all devices.
func TestGroupSharesTheLoad(t *testing.T) {
	b := startBroker(t)
	in := func(node string) func(*site) {
		return func(s *site) { s.config.Group, s.node = "site", node }
	}
	first, second := newSite(t, b, in("n1")).connected(), newSite(t, b, in("n2")).connected()
	c := b.client("c", "edgelens/v1/#")
	const n = 40
	for i := range n {
		c.publish(fungxis.Record("F1", record(i), []byte(fmt.Sprint("image ", i))))
	}
	events := c.waitForEvents("F1", n)
	ids := map[string]int{}
	for _, e := range events {
		ids[e.ID]++
	}
	if len(ids) != n || len(events) != n {
		t.Errorf("%d events with %d ids, want %d", len(events), len(ids), n)
	}
	a, z := first.device("F1").Counters.Records, second.device("F1").Counters.Records
	if a+z != n || a < n/4 || z < n/4 {
		t.Errorf("shared %d to %d", a, z)
	}
	heartbeat, _ := fungxis.Heartbeat("F2", time.Now())
	c.publish(heartbeat)
	for _, s := range []*site{first, second} {
		eventually(t, "both know", func() bool { d, err := s.bridge.Device(t.Context(), "F2"); return err == nil && d.Online })
	}
	c.waitFor("edgelens/v1/status/n1", 1)
	c.waitFor("edgelens/v1/status/n2", 1)
}

// Messages that arrive while a node of the group is stopped go to the others at once.
func TestGroupWorksWithoutAMember(t *testing.T) {
	b := startBroker(t)
	in := func(node string) func(*site) {
		return func(s *site) { s.config.Group, s.node = "site", node }
	}
	newSite(t, b, in("n1")).connected()
	newSite(t, b, in("n2")).connected().stop()
	c := b.client("c", "edgelens/v1/#")
	const n = 20
	for i := range n {
		c.publish(fungxis.Record("F1", record(i), []byte(fmt.Sprint("image ", i))))
	}
	c.waitForEvents("F1", n)
}

func TestConfig(t *testing.T) {
	if err := terminal.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*terminal.Config){
		"url":               func(c *terminal.Config) { c.URL = "http://broker" },
		"group":             func(c *terminal.Config) { c.Group = "a/b" },
		"max_message_bytes": func(c *terminal.Config) { c.MaxMessageBytes = 1 },
		"default":           func(c *terminal.Config) { c.Default = "#" },
		"unknown":           func(c *terminal.Config) { c.Unknown = "ask" },
		"max_devices":       func(c *terminal.Config) { c.MaxDevices = 0 },
		"max_waiting":       func(c *terminal.Config) { c.MaxWaiting = 0 },
		"top_k":             func(c *terminal.Config) { c.TopK = 0 },
		"min_score":         func(c *terminal.Config) { c.MinScore = 2 },
		"fresh":             func(c *terminal.Config) { c.Fresh = 0 },
		"command_ttl":       func(c *terminal.Config) { c.CommandTTL = 0 },
	} {
		config := terminal.DefaultConfig()
		change(&config)
		if err := config.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+" ") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := terminal.New(context.Background(), config, terminal.Parts{}); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: New returned %v", name, err)
		}
	}
}
