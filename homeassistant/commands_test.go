package homeassistant_test

import (
	"strings"
	"testing"

	"edgelens/homeassistant"
	"edgelens/internal/testutil"
)

func command(id, payload string) homeassistant.Incoming {
	return homeassistant.Incoming{Topic: "edgelens/v1/homeassistant/" + id + "/command", Payload: []byte(payload)}
}

// A device has a button for each command of the setting that its dialect has, and commands go to it. Everything else is
// refused: also a retained command and one that waited, which would open a door later than it was meant.
func TestCommands(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.config.Commands = []string{"open", "dance"}
		h.change(func() { h.devices["camera"] = terminal("camera", "") })
		h.run()
		h.settle()
		config := h.broker.kept(configTopic(door))
		if !strings.Contains(config, `"command_open":{"p":"button"`) || strings.Contains(config, "dance") || strings.Contains(h.broker.kept(configTopic("edgelens-device-camera")), "button") {
			t.Errorf("%s", config)
		}
		retained, waited := command(door, "open"), command(door, "open")
		retained.Retained, waited.Waited = true, true
		for _, m := range []homeassistant.Incoming{
			retained, waited, command(door, "dance"), command(door, "close"), command(door, `open"}`), command(door, " open"), command(door, ""),
			command("edgelens-device-camera", "open"), command("edgelens-device-other", "open"), command(node, "open"), command(hall, "open"),
		} {
			if !h.receive(m) {
				t.Errorf("%+v is not acknowledged", m)
			}
		}
		if len(h.commands()) > 0 {
			t.Fatalf("sent: %q", h.commands())
		}
		if cleared := h.broker.on("edgelens/v1/homeassistant/" + door + "/command"); len(cleared) != 1 || cleared[0].payload != "" || !cleared[0].retain {
			t.Errorf("the retained command is not removed: %v", cleared)
		}
		h.receive(command(door, "open"))
		same(t, "sent", h.commands(), []string{`door {"cmd":"open"} 0s`})
		metrics := testutil.Metrics(t, h.metrics)
		if metrics["edgelens_homeassistant_commands_total accepted"] != 1 || metrics["edgelens_homeassistant_commands_total refused"] != 10 {
			t.Errorf("%v", metrics)
		}
		if !h.log.Contains("client=\"Home Assistant\" path=/api/devices/door/commands") {
			t.Errorf("log: %s", h.log)
		}
		// What a user has deleted there has no buttons any more.
		h.delete(door)
		h.settle()
		h.receive(command(door, "open"))
		if len(h.commands()) != 1 {
			t.Errorf("sent: %q", h.commands())
		}
	})
}

func TestCommandsAreOffByDefault(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.run()
		h.settle()
		h.receive(command(door, "open"))
		if len(h.commands()) > 0 || strings.Contains(h.broker.kept(configTopic(door)), "button") {
			t.Errorf("sent: %q; %s", h.commands(), h.broker.kept(configTopic(door)))
		}
	})
}

func TestConfigIsValidated(t *testing.T) {
	for name, change := range map[string]func(*homeassistant.Config){
		"commands must":    func(c *homeassistant.Config) { c.Commands = []string{`o"`} },
		"at most 20":       func(c *homeassistant.Config) { c.Commands = make([]string, 21) },
		"max_devices must": func(c *homeassistant.Config) { c.MaxDevices = 0 },
	} {
		c := homeassistant.DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := homeassistant.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}
