//go:build cgo

package terminal_test

import (
	"errors"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/terminal"
)

// A forgotten device is unknown, here, on the disk and at the broker; if it reports again, it is a new one without its
// settings, and a record that it sends again is still a duplicate.
func TestForgetDevice(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b, func(s *site) { s.config.Unknown = terminal.UnknownQuarantine }).connected()
	c := b.client("c", "fungxi_F1_downLink", "edgelens/v1/events/#", "edgelens/v1/devices/#")
	c.publish(fungxis.Record("F1", record(1), []byte("image")))
	testutil.Eventually(t, "its record is stored", func() bool {
		d, err := s.bridge.Device(t.Context(), "F1")
		return err == nil && d.Counters.Records == 1
	})
	name, accepted := "Front door", edgelens.DeviceAccepted
	if d, err := s.bridge.ChangeDevice(t.Context(), "F1", edgelens.DeviceChange{DisplayName: &name, State: &accepted}); err != nil || d.Settings.DisplayName != name {
		t.Fatalf("%+v, %v", d, err)
	}
	c.waitForEvents("F1", 1)
	must(t, s.bridge.ForgetDevice(t.Context(), "F1"))
	if _, err := s.bridge.Device(t.Context(), "F1"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("it is known: %v", err)
	}
	if err := s.bridge.ForgetDevice(t.Context(), "F1"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	stored, err := s.ledger.Devices.Devices(t.Context())
	must(t, err)
	equal(t, "stored devices", len(stored), 0)
	const availability = "edgelens/v1/devices/F1/availability"
	testutil.Eventually(t, "the broker forgets its presence", func() bool {
		of := c.on(availability)
		return len(of) > 0 && of[len(of)-1] == ""
	})

	c.publish(fungxis.Record("F1", record(1), []byte("image")))
	c.publish(fungxis.Record("F1", record(2), []byte("image")))
	testutil.Eventually(t, "it is new", func() bool {
		d, err := s.bridge.Device(t.Context(), "F1")
		return err == nil && d.Counters.Records == 2 && d.Counters.Duplicates == 1
	})
	if d := s.device("F1"); d.State != edgelens.DeviceQuarantined || d.Settings != (edgelens.DeviceSettings{}) || time.Since(d.FirstSeen) > time.Minute {
		t.Errorf("%+v", d)
	}
	equal(t, "events", len(c.waitForEvents("F1", 1)), 1)
	s.stop()
	s.start()
	if d := s.device("F1"); d.Settings.DisplayName != "" || d.Counters.Records != 2 {
		t.Errorf("after a restart: %+v", d)
	}
}

// A display name is kept, and one that is not printable changes nothing.
func TestDisplayNameIsKept(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c")
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	c.publish(heartbeat)
	testutil.Eventually(t, "it is known", func() bool { _, err := s.bridge.Device(t.Context(), "F1"); return err == nil })
	name, bad, zone := `<img src=x onerror=alert(1)> 門`, "a\x1b[2J", "Asia/Shanghai"
	if _, err := s.bridge.ChangeDevice(t.Context(), "F1", edgelens.DeviceChange{DisplayName: &name}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.bridge.ChangeDevice(t.Context(), "F1", edgelens.DeviceChange{DisplayName: &bad, Zone: &zone}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("an escape sequence: %v", err)
	}
	s.stop()
	s.start()
	if d := s.device("F1"); d.Settings.DisplayName != name || d.Settings.Zone != "" {
		t.Errorf("after a restart: %+v", d.Settings)
	}
}
