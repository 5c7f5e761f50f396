package camera_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"edgelens"
	"edgelens/terminal/camera"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/dialecttest"
)

const topic = "edgelens/v1/devices/porch-1/snapshot"

var cameras = camera.New(camera.Config{MaxImageBytes: 2048})

func TestDecode(t *testing.T) {
	tests := map[string]struct {
		payload []byte
		image   bool
		reason  string
		key     bool
	}{
		"an image":               {[]byte("\xff\xd8\xff\xe0"), true, "", false},
		"any bytes":              {[]byte("x"), true, "", false},
		"at the limit":           {make([]byte, 2048), true, "", false},
		"a byte above the limit": {make([]byte, 2049), false, "The image has 2049 bytes; at most 2048 are accepted.", true},
		"nothing":                {nil, false, "The terminal sent no image.", false},
		"nothing, but not nil":   {[]byte{}, false, "The terminal sent no image.", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, cameras, topic, test.payload)
			if !ok || message.Kind != dialect.Records || message.Device != "porch-1" || len(message.Entries) != 1 {
				t.Fatalf("%v %+v", ok, message)
			}
			entry := message.Entries[0]
			if entry.Record.Kind != edgelens.RecordSnapshot || (entry.Record.Key != "") != test.key || !entry.Repeats || entry.Record.Verdict != nil || entry.Record.Reason != test.reason {
				t.Errorf("%+v", entry.Record)
			}
			if test.image && !bytes.Equal(entry.Image, test.payload) {
				t.Errorf("image %v", entry.Image)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	long := strings.Repeat("x", 64)
	tests := map[string]struct {
		topic, device string
		ok            bool
	}{
		"a camera":            {topic, "porch-1", true},
		"64 bytes":            {"edgelens/v1/devices/" + long + "/snapshot", long, true},
		"65 bytes":            {"edgelens/v1/devices/x" + long + "/snapshot", "", true},
		"two levels":          {"edgelens/v1/devices/a/b/snapshot", "", true},
		"none":                {"edgelens/v1/devices//snapshot", "", true},
		"no level":            {"edgelens/v1/devices/snapshot", "", false},
		"not UTF-8":           {"edgelens/v1/devices/\xff/snapshot", "", true},
		"wildcard":            {"edgelens/v1/devices/+/snapshot", "", true},
		"a topic of ours":     {"edgelens/v1/devices/a/availability", "", false},
		"something before it": {"x/edgelens/v1/devices/a/snapshot", "", false},
		"something after it":  {topic + "/x", "", false},
		"nothing":             {"", "", false},
		"another dialect's":   {"fungxi_1_upLink", "", false},
		"in capitals":         {strings.ToUpper(topic), "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			device, ok := dialecttest.Match(t, cameras, test.topic)
			if device != test.device || ok != test.ok {
				t.Errorf("%q, %v", device, ok)
			}
			if _, err := cameras.Decode(test.topic, []byte("x"), dialect.Hints{ReceivedAt: dialecttest.Now}); (err == nil) != (test.device != "") {
				t.Errorf("decoded: %v", err)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	if _, err := cameras.Command("porch-1", "c-1", json.RawMessage(`{}`), dialecttest.Now); !errors.Is(err, dialect.ErrNoSuchCommand) {
		t.Error(err)
	}
}

func TestSimulator(t *testing.T) {
	simulator := camera.NewSimulator()
	sent := simulator.Record("porch-1", edgelens.Record{Kind: edgelens.RecordSnapshot}, []byte("an image"))
	message, ok := dialecttest.Decode(t, cameras, sent.Topic, sent.Payload)
	if !ok || message.Device != "porch-1" || string(message.Entries[0].Image) != "an image" || message.Entries[0].Acks != nil {
		t.Errorf("%+v", message)
	}
	if _, ok := simulator.Heartbeat("porch-1", dialecttest.Now); ok || simulator.Subscriptions("porch-1") != nil {
		t.Error("a camera has a heartbeat or a subscription")
	}
}

func TestConfig(t *testing.T) {
	if err := camera.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := (camera.Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "max_image_bytes") {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(topic, []byte("\xff\xd8"))
	f.Add(topic, []byte{})
	f.Fuzz(func(t *testing.T, topic string, payload []byte) { dialecttest.Decode(t, cameras, topic, payload) })
}

func FuzzMatch(f *testing.F) {
	for _, seed := range []string{topic, "edgelens/v1/devices/snapshot", "edgelens/v1/devices/a/b/snapshot", "edgelens/v1/devices/\x00/snapshot"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, topic string) { dialecttest.Match(t, cameras, topic) })
}
