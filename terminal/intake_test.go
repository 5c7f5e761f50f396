//go:build cgo

package terminal_test

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

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
	testutil.Eventually(t, "all is counted", func() bool { c := s.device("F1").Counters; return c.Records >= 9 })
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
	testutil.Eventually(t, "it is logged", func() bool { return strings.Contains(s.log.String(), "event=mqtt_messages_dropped") })
}
