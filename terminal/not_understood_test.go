//go:build cgo

package terminal_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"edgelens/internal/testutil"

	"edgelens"
)

// Messages that were not understood are listed by topic and reason, also of devices that
// never sent a valid one; leniently readable messages are read.
func TestNotUnderstoodIsListed(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	for range 3 {
		c.publishText("fungxi_NEW_upLink", "Ann came in")
	}
	c.publishText("fungxi_NEW_uplink", `{"cmd":"heartU"}`)
	c.publishText("fungxi_NEW_downLink", `{"cmd":"heartD"}`)
	c.publishText("fungxi_.._upLink", `{"cmd":"heartU"}`)
	c.publishText("fungxi_F1_upLink", `{"cmd":"hartU"}`)
	c.publishText("fungxi_F1_upLink", `{"hello":"world"}`)
	c.publishText("fungxi_F1_upLink", `{'cmd':'verifiedRecordU','data':[{'num':1,'name':'Ann'},7]}`)
	c.publishText("fungxi_F1_upLink", `{"cmd":"verifiedRecordU","data":[]}`)
	c.publishText("fungxi_F1_upLink", "")
	if e := c.waitForEvents("F1", 1)[0]; !strings.Contains(string(e.Data.Record), `"name":"Ann"`) {
		t.Errorf("%s", e.Data.Record)
	}
	testutil.Eventually(t, "all is counted", func() bool {
		counters := s.device("F1").Counters
		return counters.Repaired == 1 && counters.LeftOut == 1 && counters.WithoutRecords == 1 && counters.Empty == 1
	})
	if _, err := s.bridge.Device(t.Context(), "NEW"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("nonsense made a device: %v", err)
	}
	list, err := s.bridge.NotUnderstood(t.Context())
	must(t, err)
	for _, want := range []edgelens.NotUnderstood{
		{Topic: "fungxi_NEW_upLink", Device: "NEW", Dialect: "fungxi", Count: 3, Reason: "holds no record", Excerpt: "xxx xxxx xx"},
		{Topic: "fungxi_NEW_uplink", Count: 1, Reason: "No dialect", Excerpt: `{"cmd":"xxxxxx"}`},
		{Topic: "fungxi_.._upLink", Dialect: "fungxi", Count: 1, Reason: `not "." or ".."`, Excerpt: `{"cmd":"xxxxxx"}`},
		{Topic: "fungxi_F1_upLink", Device: "F1", Dialect: "fungxi", Count: 1, Reason: "single quotes", Excerpt: `{'cmd':'`},
		{Topic: "fungxi_F1_upLink", Device: "F1", Dialect: "fungxi", Count: 1, Reason: "left out", Excerpt: `{'cmd':'`},
		{Topic: "fungxi_F1_upLink", Device: "F1", Dialect: "fungxi", Count: 1, Reason: "has no record", Excerpt: `"data":[]`},
		{Topic: "fungxi_F1_upLink", Device: "F1", Dialect: "fungxi", Count: 1, Reason: `the kind "hartU", which is not known`, Excerpt: `{"cmd":"xxxxx"}`},
		{Topic: "fungxi_F1_upLink", Device: "F1", Dialect: "fungxi", Count: 1, Reason: "does not name its kind", Excerpt: `{"hello":"xxxxx"}`},
	} {
		if !slices.ContainsFunc(list, func(got edgelens.NotUnderstood) bool {
			return got.Topic == want.Topic && got.Device == want.Device && got.Dialect == want.Dialect && got.Count == want.Count &&
				strings.Contains(got.Reason, want.Reason) && strings.Contains(got.Excerpt, want.Excerpt) && !got.Last.Before(got.First)
		}) {
			t.Errorf("%+v is not among %+v", want, list)
		}
	}
	if slices.ContainsFunc(list, func(one edgelens.NotUnderstood) bool { return strings.HasSuffix(one.Topic, "_downLink") }) {
		t.Errorf("a message of edgelens is listed: %+v", list)
	}
	if got := s.device("F1").NotUnderstood; len(got) != 5 {
		t.Errorf("of the device: %+v", got)
	}
	if text := fmt.Sprint(list) + s.log.String(); strings.Contains(text, "Ann") {
		t.Error("a name is listed")
	}
}

// The list is bounded, however many topics there are.
func TestNotUnderstoodIsBounded(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c")
	for n := range 300 {
		c.publishText(fmt.Sprintf("fungxi_%d_upLink", n), "x")
		c.publishText(fmt.Sprintf("foreign_%d", n), "x")
	}
	c.publishText("fungxi_last_upLink", "x")
	testutil.Eventually(t, "the last is listed", func() bool {
		list, err := s.bridge.NotUnderstood(t.Context())
		must(t, err)
		return len(list) == 250 && list[0].Topic == "fungxi_last_upLink"
	})
}

// Clearing a retained image is not a record.
func TestClearingARetainedImage(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	const topic = "edgelens/v1/devices/cam/snapshot"
	c.publishWith(topic, "\xff\xd8 an image \xff\xd9", 1, true)
	c.waitForEvents("cam", 1)
	c.publishWith(topic, "", 1, true)
	c.publishText(topic, "\xff\xd8 another \xff\xd9")
	c.waitForEvents("cam", 2)
	testutil.Eventually(t, "it is counted", func() bool { return s.device("cam").Counters.Empty == 1 })
	if n := len(c.events("cam")); n != 2 {
		t.Errorf("%d events", n)
	}
}

// A name in another character set does not lose the record, and is decoded once the set is
// configured.
func TestCharacterSetOfADevice(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	record := func(num int) string {
		return fmt.Sprintf("{\"cmd\":\"verifiedRecordU\",\"data\":[{\"num\":%d,\"name\":\"\xb3\\\"}]}", num) // 許
	}
	c.publishText("fungxi_F1_upLink", record(1))
	e := c.waitForEvents("F1", 1)[0]
	if text := string(e.Data.Record); strings.Contains(text, `"name":"`) && !strings.Contains(text, "undecoded") || !strings.Contains(text, `"undecoded":{"name":"s1w="}`) {
		t.Errorf("%s", text)
	}
	testutil.Eventually(t, "it is counted", func() bool { return s.device("F1").Counters.UndecodedTexts == 1 })
	bad, set := "big7", "BIG5"
	if _, err := s.bridge.ChangeDevice(t.Context(), "F1", edgelens.DeviceChange{Charset: &bad}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("%v", err)
	}
	device, err := s.bridge.ChangeDevice(t.Context(), "F1", edgelens.DeviceChange{Charset: &set})
	must(t, err)
	equal(t, "charset", device.Settings.Charset, "big5")
	c.publishText("fungxi_F1_upLink", record(2))
	if text := string(c.waitForEvents("F1", 2)[1].Data.Record); !strings.Contains(text, `"name":"許"`) {
		t.Errorf("%s", text)
	}
	c.publishText("fungxi_F1_upLink", record(1)) // the same record, whatever the set is
	testutil.Eventually(t, "it is a duplicate", func() bool { return s.device("F1").Counters.Duplicates == 1 })
	s.stop()
	s.start()
	equal(t, "after a restart", s.device("F1").Settings.Charset, "big5")
}
