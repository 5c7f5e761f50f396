//go:build cgo

package terminal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/terminal"
	"edgelens/terminal/dialect"
	"edgelens/terminal/fungxi"
)

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
	c.publish(fungxis.Record("F1", record(1), []byte("image"))) // a heartbeat alone does not make it lasting
	testutil.Eventually(t, "its record is stored", func() bool { return s.device("F1").Counters.Records == 1 })
	s.stop()
	equal(t, "status", c.waitFor("edgelens/v1/status", 2)[1], "offline")
	// The devices are known after a restart, with their counters.
	s.start()
	if d := s.device("F1"); !d.Online || d.Counters.Heartbeats != 1 {
		t.Errorf("after a restart: %+v", d)
	}
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
			testutil.Eventually(t, "it is known", func() bool { d, err := s.bridge.Device(t.Context(), "F1"); return err == nil && d.State == test.state })
			if test.heartbeat {
				c.waitFor("fungxi_F1_downLink", 1)
				testutil.Eventually(t, "its record is stored", func() bool { return s.device("F1").Counters.Records == 1 })
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

func TestMaxDevices(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) { s.config.MaxDevices = 2 }).connected()
	c := b.client("c", "fungxi_F1_downLink", "edgelens/v1/events/#")
	for n := 2; n < 10; n++ {
		heartbeat, _ := fungxis.Heartbeat(fmt.Sprint("X", n), time.Now())
		c.publish(heartbeat)
	}
	testutil.Eventually(t, "two are known", func() bool { d, _ := s.bridge.Devices(t.Context()); return len(d) == 2 })
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

// A flood of made-up heartbeats leaves no rows, and locks no terminal out: not one that is known, and not a new one.
func TestMadeUpHeartbeatsGiveWay(t *testing.T) {
	const most, flood = 20, 500
	b := startBroker(t)
	s := newSite(t, b, func(s *site) { s.config.MaxDevices = most }).connected()
	c := b.client("c", "edgelens/v1/events/#", "edgelens/v1/devices/+/availability")
	heartbeat := func(device string) {
		message, _ := fungxis.Heartbeat(device, time.Now())
		c.publish(message)
	}
	c.publish(fungxis.Record("KNOWN", record(1), []byte("image")))
	c.waitForEvents("KNOWN", 1)
	for n := range flood {
		heartbeat(fmt.Sprint("X", n))
	}
	c.publish(fungxis.Record("NEW", record(2), []byte("image")))
	c.waitForEvents("NEW", 1)
	devices, err := s.bridge.Devices(t.Context())
	if err != nil || len(devices) != most {
		t.Errorf("%d devices are known (%v)", len(devices), err)
	}
	if s.device("KNOWN").Counters.Records != 1 {
		t.Error("a device with a record was forgotten")
	}
	testutil.Eventually(t, "those with records are stored, and no others", func() bool {
		stored, err := s.ledger.Devices.Devices(t.Context())
		return err == nil && len(stored) == 2 && stored[0].ID == "KNOWN" && stored[1].ID == "NEW"
	})
	// The broker forgets the presence of those that gave way.
	tries := 0
	testutil.Eventually(t, "few presences are retained", func() bool {
		tries++
		late := b.client(fmt.Sprint("late", tries), "edgelens/v1/devices/+/availability")
		late.waitFor("edgelens/v1/devices/NEW/availability", 1)
		late.mu.Lock()
		defer late.mu.Unlock()
		return len(late.messages) <= most
	})
}

// A device that an operator has changed, or sent a command, does not give way.
func TestDevicesOfAnOperatorStay(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) { s.config.MaxDevices = 3 }).connected()
	c := b.client("c", "fungxi_F1_downLink")
	heartbeat := func(device string) {
		message, _ := fungxis.Heartbeat(device, time.Now())
		c.publish(message)
		testutil.Eventually(t, device+" is known", func() bool { _, err := s.bridge.Device(t.Context(), device); return err == nil })
	}
	heartbeat("CHANGED")
	if _, err := s.setState("CHANGED", edgelens.DeviceAccepted); err != nil {
		t.Fatal(err)
	}
	heartbeat("SENT")
	if _, err := s.bridge.Send(t.Context(), "SENT", []byte(`{"cmd":"x"}`), 0); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		heartbeat(fmt.Sprint("X", n))
	}
	for _, device := range []string{"CHANGED", "SENT"} {
		if _, err := s.bridge.Device(t.Context(), device); err != nil {
			t.Errorf("%s: %v", device, err)
		}
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
