package homeassistant_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/homeassistant"
)

func birth() homeassistant.Incoming {
	return homeassistant.Incoming{Topic: homeassistant.BirthTopic, Payload: []byte("online")}
}

// What a user has deleted does not return: not at a birth, a reconnect or a start. It does when it is renamed here.
func TestUserDeletesDevice(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		if !h.delete(door) {
			t.Error("it is not acknowledged")
		}
		h.settle()
		want := []string{node, hall}
		h.receive(birth())
		h.settle()
		same(t, "after a birth", h.broker.ids(), want)
		h.Connected(false)
		h.Connected(true)
		h.settle()
		same(t, "after a reconnect", h.broker.ids(), want)
		h.stop()
		h.run()
		time.Sleep(time.Hour)
		h.settle()
		same(t, "after a start", h.broker.ids(), want)
		for topic := range h.broker.retained {
			if strings.Contains(topic, "door") {
				t.Errorf("%s is still retained", topic)
			}
		}
		h.change(func() { h.devices["door"] = terminal("door", "Garden door") })
		h.settle()
		same(t, "renamed", h.broker.ids(), []string{door, node, hall})
	})
}

// Home Assistant warns of the removal of a device that it does not know: ours follows the user's only where a message of ours
// may have crossed it.
func TestDeletionIsNotRepeated(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		h.delete(door)
		h.settle()
		if messages := h.broker.on(configTopic(door)); len(messages) != 1 {
			t.Errorf("%v", messages)
		}
		// The broker has the deletion before our message.
		h.broker.crossing = map[string]func(){configTopic(hall): func() {
			h.Receive(homeassistant.Incoming{Topic: configTopic(hall), Ack: func() {}})
		}}
		h.receive(birth())
		h.settle()
		same(t, "known", h.broker.ids(), []string{node})
	})
}

// It returns also once it was forgotten here and sends again, even at once.
func TestUserDeletesAndDeviceIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		h.delete(door)
		h.settle()
		h.change(func() {
			again := terminal("door", "Front door")
			again.FirstSeen = time.Now()
			h.devices["door"] = again
		})
		h.settle()
		same(t, "known", h.broker.ids(), []string{door, node, hall})
	})
}

// A device that sends nothing but heartbeats is unknown after a start: what a user deletes meanwhile stays deleted, and what
// is not deleted is not removed for the silence of some minutes.
func TestDeviceThatIsNotStored(t *testing.T) {
	for _, deletes := range []bool{true, false} {
		bubble(t, func(t *testing.T, h *house) {
			h.run()
			h.settle()
			h.stop()
			devices := h.devices
			h.change(func() { h.devices = nil })
			h.run()
			want := []string{door, node, hall}
			if deletes {
				h.delete(door)
				want = []string{node, hall}
			}
			h.settle()
			h.change(func() { h.devices = devices })
			h.settle()
			same(t, "known", h.broker.ids(), want)
			h.stop()
			h.change(func() { h.devices = nil })
			h.run()
			time.Sleep(homeassistant.DefaultTiming().Absence)
			h.settle()
			same(t, "after a long silence", h.broker.ids(), []string{node, hall})
		})
	}
}

// Messages about devices of others, and other messages, change nothing.
func TestForeignMessages(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		before := len(h.broker.all)
		for _, m := range []homeassistant.Incoming{
			{Topic: configTopic("someone")}, {Topic: "homeassistant/device/a/b/config"}, {Topic: "homeassistant/sensor/" + door + "/config"},
			{Topic: configTopic(door), Payload: []byte("x")}, {Topic: ""}, {Topic: "edgelens/v1/homeassistant//command", Payload: []byte("open")},
		} {
			if !h.receive(m) {
				t.Errorf("%+v is not acknowledged", m)
			}
		}
		h.settle()
		if len(h.broker.all) != before {
			t.Errorf("published: %v", h.broker.all[before:])
		}
	})
}

// A component that is gone is removed by a message with its platform alone, once.
func TestRemovedComponent(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.series = append(h.series, edgelens.Series{Device: "hall", Field: "humidity", Unit: "%", Last: 40, Points: 9})
		h.run()
		h.settle()
		h.stop()
		h.change(func() { h.series = h.series[:1] })
		h.run()
		h.settle()
		messages := h.broker.on(configTopic(hall))
		if len(messages) != 3 || !strings.Contains(messages[1].payload, `"f_humidity":{"p":"sensor"}`) || strings.Contains(messages[2].payload, "humidity") {
			t.Errorf("%v", messages)
		}
	})
}

// Discovery is switched off: what was made known goes, with the file, also what a user had deleted.
func TestWithdrawn(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		h.delete(door)
		h.settle()
		h.stop()
		h.config.Discovery = false
		h.run()
		h.settle()
		if len(h.broker.retained) > 0 {
			t.Errorf("retained: %v", h.broker.retained)
		}
		h.stop()
		if _, err := os.Stat(h.file); !os.IsNotExist(err) {
			t.Errorf("the file: %v", err)
		}
		h.config.Discovery = true
		h.run()
		h.settle()
		same(t, "on again", h.broker.ids(), []string{door, node, hall})
	})
}

// A file that cannot be read is logged; all is made known.
func TestDamagedBook(t *testing.T) {
	for name, text := range map[string]string{"cut off": `{"version":1,"devices":{`, "newer": `{"version":2}`, "empty": ""} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *house) {
				if err := os.WriteFile(h.file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				h.run()
				h.settle()
				same(t, "known", h.broker.ids(), []string{door, node, hall})
				if !h.log.Contains("homeassistant_book_damaged") {
					t.Errorf("log: %s", h.log)
				}
			})
		})
	}
}
