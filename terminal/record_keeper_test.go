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
)

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
	testutil.Eventually(t, "all are counted, which follows their delivery", func() bool {
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
	b.Start()
	testutil.Eventually(t, "the bridge is reconnected", s.bridge.Connected)
	testutil.Eventually(t, "the client is reconnected", c.Up)
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
		testutil.Eventually(t, "new messages are fresh", func() bool {
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
	testutil.Eventually(t, "it is retried", func() bool { return tried() >= 2 })
	equal(t, "acknowledgements", len(c.on("mqtt/face/S1")), 0)
	s.stop()
	s.start()
	c.waitForEvents("S1", 1)
	c.waitFor("mqtt/face/S1", 1)
	if log := s.log.String(); !strings.Contains(log, "storing a record failed") {
		t.Error("the failure is not logged")
	}
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
