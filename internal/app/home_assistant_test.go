//go:build cgo

package app

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgelens/internal/config"
	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

// forHomeAssistant starts a service that serves Home Assistant, with its images.
func forHomeAssistant(t testing.TB, change func(*config.Config)) (*service, *config.Config, *output, func() error) {
	t.Helper()
	return sensing(t, func(c *config.Config) {
		c.HomeAssistant.Discovery, c.HomeAssistant.Images, c.Ledger.KeepImages = true, true, true
		if change != nil {
			change(c)
		}
	})
}

const doorConfig = "homeassistant/device/edgelens-device-F1/config"

// retained returns what the broker has retained, by topic, as a new subscriber gets it.
func retained(t testing.TB, c *config.Config, name string) map[string]string {
	t.Helper()
	p := connect(t, c, name, "#")
	marker := "sensors/marker/" + name
	p.publish(reading(marker, "1"))
	testutil.Eventually(t, "the marker, behind all that is retained", func() bool { return len(p.on(marker)) > 0 })
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]string{}
	for _, m := range p.received {
		if m.Retained {
			all[m.Topic] = string(m.Payload)
		}
	}
	return all
}

// A retained message that states that somebody was recognized would be acted upon again after each start of Home Assistant.
// So nothing that is retained changes by what is recognized, but for the number of records; images are not retained.
func TestNothingRetainedTellsOfRecognition(t *testing.T) {
	s, c, _, _ := forHomeAssistant(t, nil)
	listener, door := connect(t, c, "listener", "#"), connect(t, c, "F1")
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	door.publish(heartbeat)
	door.publish(reading("sensors/hall/temperature", "21.5"))
	testutil.Eventually(t, "the terminal and the sensor are known", func() bool {
		return len(listener.on(doorConfig)) > 0 && len(listener.on("edgelens/v1/homeassistant/edgelens-sensor-hall/state")) > 0
	})
	for i := range 3 {
		door.publish(fungxis.Record("F1", first(passed(i)), second(passed(i))))
	}
	image := "edgelens/v1/homeassistant/edgelens-device-F1/image"
	state := "edgelens/v1/homeassistant/edgelens-device-F1/state"
	testutil.Eventually(t, "events, an image and the count", func() bool {
		counts := listener.on(state)
		return len(listener.events("F1")) == 3 && len(listener.on(image)) > 0 && len(counts) > 0 && strings.Contains(counts[len(counts)-1], `"records":3`)
	})
	if picture := listener.on(image)[0]; !strings.HasPrefix(picture, "\xff\xd8\xff") || len(picture) > 64<<10 {
		t.Errorf("the image is no thumbnail: %d bytes", len(picture))
	}
	allowed := regexp.MustCompile(`^(edgelens/v1/(status|devices/F1/availability|homeassistant/[^/]+/(state|availability))|homeassistant/device/edgelens-[^/]+/config)$`)
	number := regexp.MustCompile(`"(records|queued|undelivered|devices_online|temperature)":[0-9.]+`)
	all := retained(t, c, "late")
	if all[doorConfig] == "" || all[state] == "" {
		t.Errorf("retained: %v", all)
	}
	labels := regexp.MustCompile(`(?i)\b(red|green|blue|ann|passed|recognized)\b`)
	for topic, payload := range all {
		if !allowed.MatchString(topic) {
			t.Errorf("%s is retained: %s", topic, payload)
		}
		if !strings.HasSuffix(topic, "/config") && labels.MatchString(number.ReplaceAllString(payload, "")) {
			t.Errorf("%s tells of a recognition: %s", topic, payload)
		}
	}
	// Only what describes an event entity has the words, and its topic is not retained.
	var message struct {
		Components map[string]struct {
			Platform   string `json:"p"`
			StateTopic string `json:"stat_t"`
		} `json:"cmps"`
	}
	if err := json.Unmarshal([]byte(all[doorConfig]), &message); err != nil {
		t.Fatal(err)
	}
	for key, component := range message.Components {
		if component.Platform == "event" && all[component.StateTopic] != "" || component.Platform == "image" && all[image] != "" {
			t.Errorf("%s is retained", key)
		}
	}

	// Renamed, and forgotten.
	patch(t, s, "/api/devices/F1", `{"display_name":"Front door"}`)
	testutil.Eventually(t, "the new name", func() bool {
		configs := listener.on(doorConfig)
		return strings.Contains(configs[len(configs)-1], `"name":"Front door"`)
	})
	if a := s.send("DELETE", "/api/devices/F1", "", nil); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	testutil.Eventually(t, "it is removed, with its values", func() bool {
		configs, states := listener.on(doorConfig), listener.on(state)
		return configs[len(configs)-1] == "" && states[len(states)-1] == ""
	})
	for topic := range retained(t, c, "later") {
		if strings.Contains(topic, "F1") {
			t.Errorf("%s is still retained", topic)
		}
	}
}

func patch(t testing.TB, s *service, path, body string) {
	t.Helper()
	if a := s.send("PATCH", path, "application/json", strings.NewReader(body)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// A start and a stop: devices stay, the node goes offline; and with the setting off, all goes.
func TestHomeAssistantOverRestarts(t *testing.T) {
	_, c, _, stop := forHomeAssistant(t, nil)
	listener, door := connect(t, c, "listener", "#"), connect(t, c, "F1")
	record := fungxis.Record("F1", first(passed(1)), second(passed(1)))
	door.publish(record)
	testutil.Eventually(t, "the terminal is known", func() bool { return len(listener.on(doorConfig)) > 0 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	_, _, stop = serving(t, c)
	if retained(t, c, "second")[doorConfig] == "" {
		t.Error("it is gone after a restart")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	c.HomeAssistant.Discovery = false
	file := filepath.Join(c.DataDir, homeAssistantFile)
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	serving(t, c)
	testutil.Eventually(t, "all is removed, and the file", func() bool { _, err := os.Stat(file); return os.IsNotExist(err) })
	for topic := range retained(t, c, "third") {
		if strings.Contains(topic, "homeassistant") {
			t.Errorf("%s is still retained", topic)
		}
	}
}

// With passwords, the user of Home Assistant can read what it shows, publish birth, deletions and commands, and nothing else;
// nobody else can send a command.
func TestHomeAssistantWithPasswords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, []byte("F1:secret\nha:secret\nmeter:secret\nshop:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := passwd(file); err != nil {
		t.Skipf("mosquitto_passwd: %v %s", err, out)
	}
	s, c, log, _ := forHomeAssistant(t, func(c *config.Config) {
		c.Mosquitto.PasswordFile, c.Rules.HomeAssistant, c.HomeAssistant.Commands = file, "ha", []string{"open"}
		c.Rules.Sensors, c.Rules.Readers = []string{"meter"}, []string{"shop"}
	})
	as := func(user string, filters ...string) *peer {
		p := *c
		p.Mosquitto.Listen = user + ":secret@" + c.Mosquitto.Listen
		return connect(t, &p, "as-"+user, filters...)
	}
	ha, door, meter, shop := as("ha", "#"), as("F1", "fungxi_F1_downLink"), as("meter"), as("shop", "#")
	try := func(p *peer, topic, payload string) error {
		return p.Publish(t.Context(), session.Outgoing{Topic: topic, Payload: []byte(payload), QoS: 1})
	}
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	door.publish(heartbeat)
	meter.publish(reading("sensors/hall/temperature", "21.5"))
	testutil.Eventually(t, "Home Assistant sees the device, its presence and the sensor", func() bool {
		return len(ha.on(doorConfig)) > 0 && len(ha.on("edgelens/v1/devices/F1/availability")) > 0 && len(ha.on("sensors/hall/temperature")) > 0 && len(ha.on("edgelens/v1/status")) > 0
	})
	if !strings.Contains(ha.on(doorConfig)[0], "command_open") {
		t.Errorf("no button: %s", ha.on(doorConfig)[0])
	}
	if len(shop.on(doorConfig)) > 0 {
		t.Error("a reader sees homeassistant/")
	}
	topic := "edgelens/v1/homeassistant/edgelens-device-F1/command"
	for name, p := range map[string]*peer{"F1": door, "meter": meter, "shop": shop} {
		if err := try(p, topic, "open"); err == nil {
			t.Errorf("%s may send a command", name)
		}
		if err := try(p, doorConfig, ""); err == nil {
			t.Errorf("%s may delete a device", name)
		}
	}
	for _, forbidden := range []string{"edgelens/v1/status", "edgelens/v1/events/F1", "edgelens/v1/homeassistant/edgelens-device-F1/state", "fungxi_F1_downLink", "sensors/hall/temperature"} {
		if err := try(ha, forbidden, "x"); err == nil {
			t.Errorf("Home Assistant may publish on %s", forbidden)
		}
	}
	if err := try(ha, "homeassistant/status", "online"); err != nil {
		t.Error(err)
	}
	log.waitFor(t, "homeassistant_birth")
	if err := ha.Publish(t.Context(), session.Outgoing{Topic: topic, Payload: []byte("open"), QoS: 1, Retain: true}); err != nil {
		t.Error(err)
	}
	log.waitFor(t, `homeassistant_command_refused.*retained=true`)
	if err := try(ha, topic, "open"); err != nil {
		t.Error(err)
	}
	testutil.Eventually(t, "the command arrives", func() bool { return len(door.on("fungxi_F1_downLink")) > 0 && containsOpen(door) })
	log.waitFor(t, `event=access action=change client="Home Assistant" path=/api/devices/F1/commands`)
	id := log.waitFor(t, `client="Home Assistant".* command=(\S+)`)
	if a := s.get("/api/devices/F1/commands/" + id); a.status != 200 || !strings.Contains(string(a.body), `"sent"`) {
		t.Errorf("its outcome: %d %s", a.status, a.body)
	}
	opened := 0
	for _, payload := range door.on("fungxi_F1_downLink") {
		opened += strings.Count(payload, `"open"`)
	}
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
	p := *c
	p.Mosquitto.Listen = "ha:secret@" + c.Mosquitto.Listen
	again := connect(t, &p, "again", topic, "homeassistant/#")
	testutil.Eventually(t, "what is retained", func() bool { return len(again.on(doorConfig)) > 0 })
	if len(again.on(topic)) > 0 {
		t.Error("the retained command is still there")
	}
}

func containsOpen(p *peer) bool {
	for _, payload := range p.on("fungxi_F1_downLink") {
		if strings.Contains(payload, `"open"`) {
			return true
		}
	}
	return false
}

// Without passwords, Home Assistant can publish its birth, and nobody a command.
func TestHomeAssistantWithoutPasswords(t *testing.T) {
	_, c, log, _ := forHomeAssistant(t, nil)
	ha := connect(t, c, "ha", "homeassistant/#")
	if err := ha.Publish(t.Context(), session.Outgoing{Topic: "homeassistant/status", Payload: []byte("online"), QoS: 1}); err != nil {
		t.Error(err)
	}
	log.waitFor(t, "homeassistant_birth")
	if err := ha.Publish(t.Context(), session.Outgoing{Topic: "edgelens/v1/homeassistant/edgelens-device-F1/command", Payload: []byte("open"), QoS: 1}); err == nil {
		t.Error("anybody may send commands")
	}
}

// Settings that do not fit together stop the start, with what to set.
func TestHomeAssistantSettings(t *testing.T) {
	for want, change := range map[string]func(*config.Config){
		"set mqtt.password_file": func(c *config.Config) { c.Rules.HomeAssistant = "ha" },
		"set ledger.keep_images": func(c *config.Config) { c.HomeAssistant.Discovery, c.HomeAssistant.Images = true, true },
		"a broker with passwords": func(c *config.Config) {
			c.HomeAssistant.Discovery, c.HomeAssistant.Commands = true, []string{"open"}
		},
		"a broker with passwords or certificates: set": func(c *config.Config) {
			c.HomeAssistant.Discovery, c.HomeAssistant.Commands, c.Terminal.URL = true, []string{"open"}, "mqtt://user@host"
		},
	} {
		c := settings(t)
		change(c)
		if err := checkHomeAssistant(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	c := settings(t)
	c.HomeAssistant.Discovery, c.HomeAssistant.Commands, c.Terminal.URL = true, []string{"open"}, "mqtt://user:password@host"
	if err := checkHomeAssistant(c); err != nil {
		t.Error(err)
	}
	c.Terminal.URL, c.Mosquitto.ClientAuth, c.Rules.HomeAssistant = "", "require", "ha" // by certificates
	if err := checkHomeAssistant(c); err != nil {
		t.Error(err)
	}
	if rules, err := brokerRules(c, nil, []string{"ha"}); err != nil || !strings.Contains(rules, "user ha\ntopic read homeassistant/#") {
		t.Errorf("%v\n%s", err, rules)
	}
	if rules, err := brokerRules(c, nil, nil); err != nil || rules == "" || strings.Contains(rules, "user") && strings.Contains(rules, "topic ") {
		t.Errorf("without a certified user, there are rules that allow nothing: %v\n%s", err, rules)
	}
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, []byte("F1:x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c = settings(t)
	c.Mosquitto.PasswordFile, c.Rules.HomeAssistant = file, "ha"
	if _, err := brokerRules(c, nil, nil); err == nil || !strings.Contains(err.Error(), "mosquitto_passwd") {
		t.Errorf("an unknown user: %v", err)
	}
}

// A node without MQTT, and one that never served Home Assistant, has nothing to do.
func TestWithoutHomeAssistant(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	_, _, stop := serving(t, c)
	if err := stop(); err != nil {
		t.Error(err)
	}
	var h *homeAssistant
	if err := h.start(); err != nil {
		t.Error(err)
	}
	if err := h.stop(context.Background()); err != nil {
		t.Error(err)
	}
}
