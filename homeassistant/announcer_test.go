package homeassistant_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/homeassistant"
	"edgelens/internal/testutil"
)

func TestDevicesAreMadeKnown(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.change(func() {
			h.devices["new"] = terminal("new", "")
			refused := terminal("refused", "")
			refused.State = edgelens.DeviceRefused
			h.devices["refused"] = refused
		})
		h.run()
		h.settle()
		same(t, "known", h.broker.ids(), []string{door, "edgelens-device-new", node, hall})
		for _, m := range h.broker.all {
			if !m.retain {
				t.Errorf("%s is not retained", m.topic)
			}
		}
		if first := h.broker.all[0].topic; first != configTopic(node) {
			t.Errorf("the first message is %s: the others refer to the node", first)
		}
		// Nothing changes: nothing is published.
		before := len(h.broker.all)
		h.settle()
		if len(h.broker.all) != before {
			t.Errorf("%d messages more", len(h.broker.all)-before)
		}
	})
}

func TestRenamedDevice(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		h.change(func() { h.devices["door"] = terminal("door", "Back door") })
		h.settle()
		if kept := h.broker.kept(configTopic(door)); !strings.Contains(kept, `"name":"Back door"`) || len(h.broker.on(configTopic(door))) != 2 {
			t.Errorf("%d messages, the last %s", len(h.broker.on(configTopic(door))), kept)
		}
	})
}

// A forgotten device, and one that is refused, goes with all that is retained of it.
func TestForgottenDevice(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		h.change(func() { delete(h.devices, "door"); h.series = nil })
		h.settle()
		same(t, "known", h.broker.ids(), []string{node})
		for topic := range h.broker.retained {
			if strings.Contains(topic, "door") || strings.Contains(topic, "hall") {
				t.Errorf("%s is still retained", topic)
			}
		}
	})
}

// A source that fails is no reason to remove anything.
func TestFailingSourceRemovesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		h.change(func() { h.fail = errors.New("broken"); h.devices = nil })
		h.settle()
		same(t, "known", h.broker.ids(), []string{door, node, hall})
	})
}

// Two messages about one device are half a second apart, however fast it changes.
func TestDebounce(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		for i := range 100 {
			h.change(func() { h.devices["door"] = terminal("door", fmt.Sprint("Door ", i)) })
			time.Sleep(300 * time.Millisecond)
			if i%10 == 0 {
				h.receive(homeassistant.Incoming{Topic: homeassistant.BirthTopic, Payload: []byte("online")})
			}
		}
		h.settle()
		messages := h.broker.on(configTopic(door))
		for i := 1; i < len(messages); i++ {
			if gap := messages[i].at.Sub(messages[i-1].at); gap < 500*time.Millisecond {
				t.Errorf("messages %d and %d are %v apart", i-1, i, gap)
			}
		}
		if len(messages) < 5 || !strings.Contains(messages[len(messages)-1].payload, "Door 99") {
			t.Errorf("%d messages, the last %s", len(messages), messages[len(messages)-1].payload)
		}
	})
}

// Home Assistant has started: all is made known again, a while later, once.
func TestBirth(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		before, born := len(h.broker.on(configTopic(door))), time.Now()
		for range 5 {
			if !h.receive(homeassistant.Incoming{Topic: homeassistant.BirthTopic, Payload: []byte("online")}) {
				t.Error("it is not acknowledged")
			}
		}
		h.receive(homeassistant.Incoming{Topic: homeassistant.BirthTopic, Payload: []byte("offline")})
		h.settle()
		messages := h.broker.on(configTopic(door))
		if len(messages) != before+1 {
			t.Fatalf("%d messages more, want 1", len(messages)-before)
		}
		if wait := messages[before].at.Sub(born); wait < 500*time.Millisecond || wait > 5*time.Second {
			t.Errorf("it came %v later", wait)
		}
		// Many nodes do not answer at once.
		waits := map[time.Duration]bool{}
		for i := range 10 {
			born = time.Now()
			h.receive(homeassistant.Incoming{Topic: homeassistant.BirthTopic, Payload: []byte("online")})
			h.settle()
			waits[h.broker.on(configTopic(door))[before+1+i].at.Sub(born)] = true
		}
		if len(waits) < 5 {
			t.Errorf("ten births are answered after %v", waits)
		}
	})
}

// The broker has lost everything: after the connect, devices and values are published again.
func TestReconnect(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		h.Connected(false)
		h.broker.mu.Lock()
		clear(h.broker.retained)
		h.broker.mu.Unlock()
		h.change(func() { h.devices["door"] = terminal("door", "Back door") })
		h.settle()
		if len(h.broker.ids()) > 0 {
			t.Error("it publishes without a connection")
		}
		h.Connected(true)
		h.settle()
		same(t, "known", h.broker.ids(), []string{door, node, hall})
		if h.broker.kept("edgelens/v1/homeassistant/"+hall+"/state") == "" || !strings.Contains(h.broker.kept(configTopic(door)), "Back door") {
			t.Errorf("retained: %v", h.broker.retained)
		}
	})
}

func TestPublishingFails(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.broker.setFail(errors.New("refused"))
		h.run()
		h.settle()
		if !h.log.Contains("homeassistant_publish") || strings.Count(h.log.String(), "homeassistant_publish") > 1 {
			t.Errorf("log: %s", h.log)
		}
		h.broker.setFail(nil)
		h.settle()
		same(t, "known", h.broker.ids(), []string{door, node, hall})
	})
}

// A message that the broker never accepts holds up no other.
func TestTooLargeMessage(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.broker.tooLarge = configTopic(door)
		h.run()
		h.settle()
		same(t, "known", h.broker.ids(), []string{node, hall})
		if strings.Count(h.log.String(), "homeassistant_too_large") != 1 {
			t.Errorf("log: %s", h.log)
		}
	})
}

// 200 devices come one after the other, without a flood, and again after a birth.
func TestManyDevices(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.change(func() {
			for i := range 200 {
				id := fmt.Sprint("T", i)
				h.devices[id] = terminal(id, "")
			}
		})
		h.run()
		h.settle()
		if known := len(h.broker.ids()); known != 203 {
			t.Errorf("%d devices are known, want 203", known)
		}
		before := len(h.broker.all)
		h.receive(homeassistant.Incoming{Topic: homeassistant.BirthTopic, Payload: []byte("online")})
		h.settle()
		if more := len(h.broker.all) - before; more != 203 {
			t.Errorf("%d messages after a birth, want 203", more)
		}
		for i := 1; i < len(h.broker.all); i++ {
			if gap := h.broker.all[i].at.Sub(h.broker.all[i-1].at); gap < homeassistant.DefaultTiming().Pace {
				t.Fatalf("messages %d and %d are %v apart", i-1, i, gap)
			}
		}
	})
}

// Beyond the maximum, those that are known stay; what is left out is counted and logged once.
func TestTooManyDevices(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.config.MaxDevices = 2
		h.run()
		h.settle()
		h.change(func() { h.devices["a"], h.devices["b"] = terminal("a", ""), terminal("b", "") })
		h.settle()
		h.settle()
		same(t, "known", h.broker.ids(), []string{door, node, hall})
		if left := testutil.Metrics(t, h.metrics)["edgelens_homeassistant_left_out too_many_devices"]; left != 2 || strings.Count(h.log.String(), "homeassistant_full") != 1 {
			t.Errorf("%v are left out: %s", left, h.log)
		}
		h.change(func() { delete(h.devices, "door") })
		h.settle()
		same(t, "known", h.broker.ids(), []string{"edgelens-device-a", node, hall})
	})
}

// Values are published when they change, and not more often than allowed; presence at once.
func TestValues(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		state, presence := "edgelens/v1/homeassistant/"+hall+"/state", "edgelens/v1/homeassistant/"+hall+"/availability"
		if got := h.broker.kept(state); got != `{"f_temperature":21.5}` || h.broker.kept(presence) != "online" {
			t.Errorf("%s, %s", got, h.broker.kept(presence))
		}
		before := len(h.broker.on(state))
		for i := range 100 {
			h.change(func() { h.series[0].Last = float64(i) })
			time.Sleep(time.Second)
		}
		h.settle()
		messages := h.broker.on(state)
		for i := before + 1; i < len(messages); i++ {
			if gap := messages[i].at.Sub(messages[i-1].at); gap < 5*time.Second {
				t.Errorf("two values are %v apart", gap)
			}
		}
		if h.broker.kept(state) != `{"f_temperature":99}` {
			t.Errorf("the last value is %s", h.broker.kept(state))
		}
		h.change(func() { h.series[0].Silent = true })
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if h.broker.kept(presence) != "offline" {
			t.Error("a silent sensor is online")
		}
	})
}

// A sensor of an earlier run is unknown until it sends a value.
func TestSensorOfEarlierRun(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.series = []edgelens.Series{{Device: "hall", Field: "temperature", Last: 20}, {Device: "edgelens", Field: "edgelens.temperature", Points: 3}}
		h.run()
		h.settle()
		same(t, "known", h.broker.ids(), []string{door, node, hall})
		if h.broker.kept("edgelens/v1/homeassistant/"+hall+"/availability") != "offline" {
			t.Error("it is online")
		}
	})
}

// The last image is a thumbnail of its own topic that is not retained, of accepted devices alone; without the setting there is none.
func TestImages(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		bubble(t, func(t *testing.T, h *house) {
			h.config.Images = enabled
			h.run()
			h.settle()
			h.ShowImage("door", []byte("first"))
			h.ShowImage("stranger", []byte("stranger"))
			h.settle()
			h.Connected(false)
			h.ShowImage("door", []byte("offline"))
			h.settle()
			h.Connected(true)
			h.settle()
			var images []string
			for _, m := range h.broker.all {
				if strings.HasSuffix(m.topic, "/image") {
					images = append(images, fmt.Sprint(m.topic, " ", m.payload, " ", m.retain))
				}
			}
			var want []string
			if enabled {
				want = []string{"edgelens/v1/homeassistant/" + door + "/image first false"}
			}
			same(t, "images", images, want)
			if has := strings.Contains(h.broker.kept(configTopic(door)), `"p":"image"`); has != enabled {
				t.Errorf("there is an image: %v", has)
			}
		})
	}
}
