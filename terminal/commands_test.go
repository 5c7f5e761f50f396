//go:build cgo

package terminal_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

// send queues a command and returns it.
func (s *site) send(device, body string, ttl time.Duration) edgelens.Command {
	s.t.Helper()
	command, err := s.bridge.Send(s.t.Context(), device, json.RawMessage(body), ttl)
	must(s.t, err)
	return command
}

// waitForStatus returns the command once it has that status.
func (s *site) waitForStatus(id string, want edgelens.CommandStatus) edgelens.Command {
	s.t.Helper()
	var command edgelens.Command
	testutil.Eventually(s.t, "the command is "+string(want), func() bool {
		var err error
		command, err = s.bridge.Command(s.t.Context(), id)
		must(s.t, err)
		return command.Status == want
	})
	return command
}

func TestCommands(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "fungxi_F1_downLink", "mqtt/face/S1")
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	c.publish(heartbeat)
	c.waitFor("fungxi_F1_downLink", 1)

	// The only terminal is the default.
	command := s.send("", `{"cmd":"openDoorD"}`, 0)
	equal(t, "device", command.Device, "F1")
	byDefault, err := s.bridge.DefaultDevice(t.Context())
	must(t, err)
	equal(t, "default device", byDefault, "F1")
	got := c.waitFor("fungxi_F1_downLink", 2)[1]
	equal(t, "payload", got, `{"cmd":"openDoorD"}`)
	s.waitForStatus(command.ID, edgelens.CommandSent) // such terminals do not reply

	heartbeat, _ = sluices.Heartbeat("S1", time.Now())
	c.publish(heartbeat)
	testutil.Eventually(t, "S1 is known", func() bool { _, err := s.bridge.Device(t.Context(), "S1"); return err == nil })
	if _, err := s.bridge.Send(t.Context(), "", json.RawMessage(`{"cmd":"x"}`), 0); !errors.Is(err, edgelens.ErrNotFound) || !strings.Contains(err.Error(), "terminal.default") {
		t.Errorf("no default among two: %v", err)
	}
	if device, err := s.bridge.DefaultDevice(t.Context()); !errors.Is(err, edgelens.ErrNotFound) || device != "" {
		t.Errorf("no default among two: %q, %v", device, err)
	}
	command = s.send("S1", `{"cmd":"open"}`, 0)
	order := c.waitFor("mqtt/face/S1", 1)[0]
	s.waitForStatus(command.ID, edgelens.CommandSent)
	// Another device cannot reply for it.
	reply, _ := sluices.Reply("S1", []byte(order), time.Now())
	forged := reply
	forged.Topic = "mqtt/face/S2/Ack"
	c.publish(forged)
	testutil.Eventually(t, "the forger is known", func() bool { _, err := s.bridge.Device(t.Context(), "S2"); return err == nil })
	c.publish(reply)
	done := s.waitForStatus(command.ID, edgelens.CommandAcknowledged)
	if done.FinishedAt.IsZero() || done.SentAt.IsZero() {
		t.Errorf("%+v", done)
	}
	refused := s.send("S1", `{"cmd":"open"}`, 0)
	order = c.waitFor("mqtt/face/S1", 2)[1]
	reply, _ = sluices.Reply("S1", []byte(order), time.Now())
	c.publishText(reply.Topic, strings.NewReplacer(`"200"`, `"461"`, `"ok"`, `"fail"`).Replace(string(reply.Payload)))
	if failed := s.waitForStatus(refused.ID, edgelens.CommandFailed); !strings.Contains(failed.Detail, "461") {
		t.Errorf("detail %q", failed.Detail)
	}
	for name, test := range map[string]struct {
		device, body string
		ttl          time.Duration
		want         error
	}{
		"an unknown device":  {"unknown", `{"cmd":"open"}`, 0, edgelens.ErrNotFound},
		"an unknown command": {"S1", `{"cmd":"dance"}`, 0, edgelens.ErrInvalid},
		"not an object":      {"F1", `7`, 0, edgelens.ErrInvalid},
		"not JSON":           {"F1", `{`, 0, edgelens.ErrInvalid},
		"nothing":            {"F1", ``, 0, edgelens.ErrInvalid},
		"too short a ttl":    {"F1", `{"cmd":"x"}`, time.Millisecond, edgelens.ErrInvalid},
		"too long a ttl":     {"F1", `{"cmd":"x"}`, 25 * time.Hour, edgelens.ErrInvalid},
		"a negative ttl":     {"F1", `{"cmd":"x"}`, -time.Second, edgelens.ErrInvalid},
	} {
		if _, err := s.bridge.Send(t.Context(), test.device, json.RawMessage(test.body), test.ttl); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.bridge.Command(t.Context(), "nonesuch"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("an unknown command: %v", err)
	}
	if retained := b.client("late", "#").on("fungxi_F1_downLink"); len(retained) > 0 {
		t.Errorf("the broker retains a command: %q", retained)
	}
}

// A device whose dialect this version does not know, such as one that a newer version has
// saved, takes no commands.
func TestCommandsToAnUnknownDialect(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	must(t, s.ledger.Devices.SaveDevices(t.Context(), edgelens.Device{ID: "N1", Dialect: "newer", State: edgelens.DeviceAccepted, FirstSeen: time.Now(), LastSeen: time.Now()}))
	command, err := s.ledger.Commands.AddCommand(t.Context(), "N1", json.RawMessage(`{"cmd":"open"}`), time.Now().Add(time.Minute))
	must(t, err)
	s.stop()
	s.start()
	s.connected()
	if _, err := s.bridge.Send(t.Context(), "N1", json.RawMessage(`{"cmd":"open"}`), 0); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), `"newer"`) {
		t.Errorf("%v", err)
	}
	if failed := s.waitForStatus(command.ID, edgelens.CommandFailed); !strings.Contains(failed.Detail, `"newer"`) {
		t.Errorf("detail %q", failed.Detail)
	}
}

// A command that could not be sent in time is never sent: not when its device connects, nor
// when the broker returns, nor after a restart.
func TestCommandsExpire(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) {
		s.dialects.Fungxi.Heartbeat, s.dialects.Fungxi.OfflineAfter = time.Second, 2*time.Second
	}).connected()
	c := b.client("c")
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	c.publish(heartbeat)
	testutil.Eventually(t, "F1 is known", func() bool { _, err := s.bridge.Device(t.Context(), "F1"); return err == nil })

	// One device that is not subscribed, and one that is silent, though subscribed.
	heartbeat, _ = sluices.Heartbeat("S1", time.Now())
	c.publish(heartbeat)
	device := b.client("device", "fungxi_F1_downLink")
	testutil.Eventually(t, "both are known, and F1 is offline", func() bool {
		_, err := s.bridge.Device(t.Context(), "S1")
		return err == nil && !s.device("F1").Online
	})
	unsubscribed, silent := s.send("S1", `{"cmd":"open"}`, 4*time.Second), s.send("F1", `{"cmd":"silent"}`, 4*time.Second)
	for id, reason := range map[string]string{unsubscribed.ID: "not subscribed", silent.ID: "offline"} {
		testutil.Eventually(t, "the reason of the wait: "+reason, func() bool {
			command, err := s.bridge.Command(t.Context(), id)
			return err == nil && command.Status == edgelens.CommandQueued && strings.Contains(command.Detail, reason)
		})
	}
	s.waitForStatus(unsubscribed.ID, edgelens.CommandExpired)
	s.waitForStatus(silent.ID, edgelens.CommandExpired)
	heartbeat, _ = fungxis.Heartbeat("F1", time.Now())
	c.publish(heartbeat)

	b.stop()
	testutil.Eventually(t, "the broker is down", func() bool { return !s.bridge.Connected() })
	expired := s.send("F1", `{"cmd":"expired"}`, 3*time.Second)
	later := s.send("F1", `{"cmd":"later"}`, time.Minute)
	s.waitForStatus(expired.ID, edgelens.CommandExpired)
	s.stop()
	s.start()
	b.Start()
	s.connected()
	testutil.Eventually(t, "the clients are reconnected", func() bool { return c.Up() && device.Up() })
	c.publish(heartbeat)
	s.waitForStatus(later.ID, edgelens.CommandSent)
	received := func() string { return strings.Join(device.on("fungxi_F1_downLink"), " ") }
	testutil.Eventually(t, "it is received", func() bool { return strings.Contains(received(), "later") })
	if all := received(); strings.Count(all, "later") != 1 || strings.Contains(all, "expired") || strings.Contains(all, "silent") {
		t.Errorf("%s", all)
	}
}

// Where we subscribe to our own messages, the broker cannot report that a device is not
// subscribed: its command waits until the device sends a message.
func TestCommandsWaitForADeviceThatIsNotConnected(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	device := b.client("device", "fungxi_F1_downLink")
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	device.publish(heartbeat)
	device.publish(fungxis.Record("F1", record(1), []byte("image"))) // a heartbeat alone does not make it lasting
	testutil.Eventually(t, "F1 is known", func() bool {
		devices, err := s.ledger.Devices.Devices(t.Context())
		return err == nil && len(devices) == 1
	})
	for what, restart := range map[string]func(){
		"the broker": func() {
			must(t, device.Stop(t.Context()))
			b.stop()
			testutil.Eventually(t, "the broker is down", func() bool { return !s.bridge.Connected() })
			b.Start()
		},
		"edgelens": func() {
			must(t, device.Stop(t.Context()))
			s.stop()
			s.start()
		},
	} {
		restart()
		s.connected()
		command := s.send("F1", `{"cmd":"open"}`, time.Minute)
		testutil.Eventually(t, "after a restart of "+what+" it waits", func() bool {
			command, err := s.bridge.Command(t.Context(), command.ID)
			return err == nil && command.Status == edgelens.CommandQueued && strings.Contains(command.Detail, "no message since")
		})
		device = b.client("device", "fungxi_F1_downLink")
		device.publish(heartbeat)
		s.waitForStatus(command.ID, edgelens.CommandSent)
		testutil.Eventually(t, "it is received", func() bool { return strings.Contains(strings.Join(device.on("fungxi_F1_downLink"), " "), "open") })
	}
}

// A disconnected device with a persistent session gets a command when it reconnects in
// time, and not after its deadline: the broker enforces the expiry.
func TestTheBrokerDropsExpiredCommands(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	address, err := session.ParseAddress(b.OpenURL(), "")
	must(t, err)
	connect := func(onMessage func(session.Message)) *session.Session {
		device, err := session.Start(session.Config{Address: address, ClientID: "F1", Lasting: time.Hour, OnMessage: onMessage,
			Subscriptions: []session.Subscription{{Filter: "fungxi_F1_downLink", QoS: 1}}}, quiet)
		must(t, err)
		testutil.Eventually(t, "the device is connected", device.Up)
		return device
	}
	device := connect(func(m session.Message) { m.Ack() })
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	must(t, device.Publish(t.Context(), session.Outgoing{Topic: heartbeat.Topic, Payload: heartbeat.Payload, QoS: 1}))
	testutil.Eventually(t, "F1 is known", func() bool { _, err := s.bridge.Device(t.Context(), "F1"); return err == nil })
	must(t, device.Stop(t.Context()))
	short, long := s.send("F1", `{"cmd":"short"}`, 2*time.Second+500*time.Millisecond), s.send("F1", `{"cmd":"long"}`, time.Minute)
	s.waitForStatus(long.ID, edgelens.CommandSent)
	s.waitForStatus(short.ID, edgelens.CommandSent)
	testutil.Eventually(t, "the deadline has passed", func() bool { return time.Now().After(short.Deadline) })
	received := make(chan string, 10)
	device = connect(func(m session.Message) { m.Ack(); received <- string(m.Payload) })
	for got := ""; got != `{"cmd":"long"}`; {
		if got = <-received; got == `{"cmd":"short"}` {
			t.Error("a command arrived after its deadline")
		}
	}
	must(t, device.Stop(t.Context()))
}
