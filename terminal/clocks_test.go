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
	"edgelens/terminal/dialect"
)

// clockOf returns the time of a UTC clock that is ahead of ours.
func clockOf(ahead time.Duration) string {
	return time.Now().UTC().Add(ahead).Format("2006-01-02 15:04:05")
}

// sluice is a record of a facesluice camera with additional members in info and beside it.
func sluice(device string, n int, inside, beside string) dialect.Outgoing {
	return dialect.Outgoing{Topic: "mqtt/face/" + device + "/Rec", QoS: 1, Payload: fmt.Appendf(nil,
		`{"operator":"RecPush"%s,"info":{"RecordID":"%d","VerifyStatus":"1","PersonType":"0"%s}}`, beside, n, inside)}
}

func beat(device, at string) dialect.Outgoing {
	return dialect.Outgoing{Topic: "mqtt/face/heartbeat", QoS: 1, Payload: fmt.Appendf(nil,
		`{"operator":"HeartBeat","info":{"facesluiceId":%q,"time":%q}}`, device, at)}
}

// A record is fresh only where its time proves it, in every format and position; other times
// are counted.
func TestFreshnessMustBeProved(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	const hour = time.Hour
	fresh, replayed, unknown := edgelens.FreshnessFresh, edgelens.FreshnessReplayed, edgelens.FreshnessUnknown
	quoted := func(text string) string { return `"` + text + `"` }
	n := 0
	for name, test := range map[string]struct {
		beats  []time.Duration // the clock in earlier heartbeats, ahead of ours
		record func(device string) dialect.Outgoing
		want   edgelens.Freshness
		count  func(edgelens.DeviceCounters) int64 // of the reason
	}{
		"at once":          {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"time":`+quoted(clockOf(0)), "") }, fresh, nil},
		"beside info":      {nil, func(d string) dialect.Outgoing { return sluice(d, 1, "", `,"Time":`+quoted(clockOf(0))) }, fresh, nil},
		"old, beside info": {nil, func(d string) dialect.Outgoing { return sluice(d, 1, "", `,"time":`+quoted(clockOf(-hour))) }, replayed, nil},
		"CreateTime":       {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"CreateTime":`+quoted(clockOf(-hour)), "") }, replayed, nil},
		"since 1970": {nil, func(d string) dialect.Outgoing {
			return sluice(d, 1, fmt.Sprintf(`,"timestamp":%d`, time.Now().UnixMilli()), "")
		}, fresh, nil},
		"no time": {nil, func(d string) dialect.Outgoing { return sluice(d, 1, "", "") }, unknown, func(c edgelens.DeviceCounters) int64 { return c.MissingTimes }},
		"fungxi, no time": {nil, func(d string) dialect.Outgoing {
			r := record(1)
			r.CapturedAt = time.Time{}
			return fungxis.Record(d, r, nil)
		}, unknown, func(c edgelens.DeviceCounters) int64 { return c.MissingTimes }},
		"a word for a time": {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"time":"soon"`, "") }, unknown, func(c edgelens.DeviceCounters) int64 { return c.UnreadableTimes }},
		"day or month":      {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"time":"03/04/2024 10:00:07"`, "") }, unknown, func(c edgelens.DeviceCounters) int64 { return c.UnreadableTimes }},
		"two that disagree": {nil, func(d string) dialect.Outgoing {
			return sluice(d, 1, `,"time":`+quoted(clockOf(0)), `,"time":`+quoted(clockOf(-hour)))
		}, unknown, func(c edgelens.DeviceCounters) int64 { return c.UnreadableTimes }},
		"the year 2099":      {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"time":"2099-01-01 00:00:00"`, "") }, unknown, func(c edgelens.DeviceCounters) int64 { return c.FutureTimes }},
		"right clock":        {[]time.Duration{0, 0, 0}, func(d string) dialect.Outgoing { return sluice(d, 1, `,"time":`+quoted(clockOf(0)), "") }, fresh, nil},
		"8 h ahead, 8 h old": {[]time.Duration{8 * hour}, func(d string) dialect.Outgoing { return sluice(d, 1, `,"time":`+quoted(clockOf(0)), "") }, unknown, func(c edgelens.DeviceCounters) int64 { return c.ContradictingTimes }},
		"61 s behind, live":  {[]time.Duration{-65 * time.Second, -65 * time.Second}, func(d string) dialect.Outgoing { return sluice(d, 1, `,"time":`+quoted(clockOf(-65*time.Second)), "") }, unknown, func(c edgelens.DeviceCounters) int64 { return c.ContradictingTimes }},
		"not sent at once":   {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"Sendintime":0,"time":`+quoted(clockOf(0)), "") }, replayed, nil},
		"sent at once": {nil, func(d string) dialect.Outgoing {
			return sluice(d, 1, `,"Sendintime":"1","PushType":0,"time":`+quoted(clockOf(0)), "")
		}, fresh, nil},
		"another PushType":   {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"PushType":3,"time":`+quoted(clockOf(0)), "") }, unknown, nil},
		"no PushType at all": {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"pushtype":{},"time":`+quoted(clockOf(0)), "") }, unknown, nil},
		"a camera's image": {nil, func(d string) dialect.Outgoing {
			return dialect.Outgoing{Topic: "edgelens/v1/devices/" + d + "/snapshot", QoS: 1, Payload: []byte("an image")}
		}, fresh, nil},
	} {
		n++
		device := fmt.Sprint("T", n)
		t.Run(name, func(t *testing.T) {
			for _, ahead := range test.beats {
				c.publish(beat(device, clockOf(ahead)))
			}
			c.publish(test.record(device))
			e := c.waitForEvents(device, 1)[0].Data
			if e.Freshness != string(test.want) || e.Replayed != (test.want != fresh) || (e.FreshnessReason == "") != (test.want == fresh) {
				t.Errorf("%s, replayed %v, %q, captured at %v", e.Freshness, e.Replayed, e.FreshnessReason, e.CapturedAt)
			}
			if test.count != nil {
				testutil.Eventually(t, "it is counted", func() bool { return test.count(s.device(device).Counters) == 1 })
			}
			if item, err := s.ledger.Results.Result(t.Context(), c.events(device)[0].ID); err != nil || item.Freshness != test.want {
				t.Errorf("in the history: %q, %v", item.Freshness, err)
			}
		})
	}
}

// Records that a terminal had stored do not make its clock seem behind.
func TestBacklogDoesNotDistortTheClock(t *testing.T) {
	b := startBroker(t)
	newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	for n := range 12 {
		r := record(n)
		r.CapturedAt = time.Now().Add(-2 * time.Hour)
		c.publish(fungxis.Record("F1", r, nil))
	}
	c.publish(fungxis.Record("F1", record(100), nil))
	events := c.waitForEvents("F1", 13)
	for i, e := range events {
		want := edgelens.FreshnessReplayed
		if i == 12 {
			want = edgelens.FreshnessFresh
		}
		if e.Data.Freshness != string(want) || strings.Contains(e.Data.FreshnessReason, "clock") {
			t.Errorf("%d: %s, %q", i, e.Data.Freshness, e.Data.FreshnessReason)
		}
	}
}

// The offset of a clock is in the API, logged once when it becomes too large and once when
// it is right again, and exported in a metric of bounded size.
func TestClockOffset(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	for name, test := range map[string]struct {
		ahead   time.Duration
		problem string // in it; empty for none
	}{
		"right":   {time.Second, ""},
		"behind":  {-61 * time.Second, "apply_clock_offset"},
		"ahead8h": {8 * time.Hour, `"UTC+08:00"`},
	} {
		for range 5 {
			c.publish(beat(name, clockOf(test.ahead)))
		}
		testutil.Eventually(t, name+" is measured", func() bool { d, err := s.bridge.Device(t.Context(), name); return err == nil && d.Clock.Samples == 5 })
		d := s.device(name)
		if (d.Clock.Offset-test.ahead).Abs() > 5*time.Second || (d.Clock.Problem != "") != (test.problem != "") || !strings.Contains(d.Clock.Problem, test.problem) {
			t.Errorf("%s: %+v", name, d.Clock)
		}
	}
	if n := lines(s.log.String(), "the clock of a device is wrong"); n != 2 {
		t.Errorf("%d log lines of wrong clocks, want 2:\n%s", n, s.log.String())
	}
	got := s.scrape("edgelens_device_clock")
	for _, want := range []string{`edgelens_device_clocks{state="right"} 1`, `edgelens_device_clocks{state="wrong"} 2`, `edgelens_device_clock_offset_seconds{device="ahead8h"} 2`, `edgelens_device_clock_offset_seconds{device="behind"} -6`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, `device="right"`) {
		t.Error("a device with a right clock is named")
	}
	// Records of a terminal without times in its heartbeats are measured, too.
	for n := range 4 {
		r := record(n)
		r.CapturedAt = time.Now().Add(8 * time.Hour)
		c.publish(fungxis.Record("F1", r, nil))
	}
	testutil.Eventually(t, "F1 is measured", func() bool {
		d, err := s.bridge.Device(t.Context(), "F1")
		return err == nil && strings.Contains(d.Clock.Problem, "UTC+08:00")
	})
	for range 7 {
		c.publish(beat("ahead8h", clockOf(0)))
	}
	testutil.Eventually(t, "it is right again", func() bool { return lines(s.log.String(), "is right again") == 1 })
	if d := s.device("ahead8h"); d.Clock.Problem != "" {
		t.Errorf("%+v", d.Clock)
	}
}

// Settings of a device apply from now on, and after a restart.
func TestDeviceSettings(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#", "fungxi_F1_downLink")
	const ahead = 8 * time.Hour
	n := 0
	freshness := func(device string, ahead time.Duration) string {
		n++
		c.publish(sluice(device, n, `,"time":"`+clockOf(ahead)+`"`, ""))
		return c.waitForEvents(device, n)[n-1].Data.Freshness
	}
	beats := func(device string) {
		before := s.device(device).Counters.Heartbeats
		for range 3 {
			c.publish(beat(device, clockOf(ahead)))
		}
		testutil.Eventually(t, "heartbeats", func() bool { return s.device(device).Counters.Heartbeats == before+3 })
	}
	equal(t, "not known yet", freshness("S1", ahead), "unknown")
	beats("S1")
	equal(t, "8 h ahead", freshness("S1", ahead), "unknown")
	yes, no, zone, none := true, false, "Asia/Shanghai", ""
	change := func(change edgelens.DeviceChange) edgelens.Device {
		t.Helper()
		d, err := s.bridge.ChangeDevice(t.Context(), "S1", change)
		must(t, err)
		return d
	}
	d := change(edgelens.DeviceChange{ApplyClockOffset: &yes})
	equal(t, "state", d.State, edgelens.DeviceAccepted)
	equal(t, "corrected", freshness("S1", ahead), "fresh")
	equal(t, "corrected, 2 h old", freshness("S1", ahead-2*time.Hour), "replayed")
	equal(t, "corrected, 8 h old", freshness("S1", 0), "replayed")
	if events := c.events("S1"); time.Since(*events[2].Data.CapturedAt).Abs() > time.Minute {
		t.Errorf("captured at %v", events[2].Data.CapturedAt)
	}
	d = change(edgelens.DeviceChange{ApplyClockOffset: &no, Zone: &zone})
	equal(t, "samples after the change", d.Clock.Samples, 0)
	equal(t, "in its zone", freshness("S1", ahead), "fresh")
	equal(t, "in its zone, an hour old", freshness("S1", ahead-time.Hour), "replayed")
	s.stop()
	s.start()
	s.connected()
	equal(t, "after a restart", s.device("S1").Settings, edgelens.DeviceSettings{Zone: zone})
	testutil.Eventually(t, "in its zone, after a restart", func() bool { return freshness("S1", ahead) == "fresh" }) // once no message may have waited
	change(edgelens.DeviceChange{Zone: &none})
	equal(t, "in the site's zone", freshness("S1", 0), "fresh")

	// Heartbeats of fungxi are answered in the device's zone.
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	c.publish(heartbeat)
	c.waitFor("fungxi_F1_downLink", 1)
	if _, err := s.bridge.ChangeDevice(t.Context(), "F1", edgelens.DeviceChange{Zone: &zone}); err != nil {
		t.Fatal(err)
	}
	c.publish(heartbeat)
	answer := c.waitFor("fungxi_F1_downLink", 2)[1]
	if hour := time.Now().UTC().Add(ahead).Format("2006-01-02 15:"); !strings.Contains(answer, hour) && !strings.Contains(answer, time.Now().UTC().Add(ahead-time.Minute).Format("2006-01-02 15:")) {
		t.Errorf("%s, want %s", answer, hour)
	}

	// An invalid change changes nothing.
	bad, state := "Nowhere/Land", edgelens.DeviceRefused
	if _, err := s.bridge.ChangeDevice(t.Context(), "S1", edgelens.DeviceChange{State: &state, Zone: &bad, ApplyClockOffset: &yes}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("an unknown zone: %v", err)
	}
	if d := s.device("S1"); d.State != edgelens.DeviceAccepted || d.Settings != (edgelens.DeviceSettings{}) {
		t.Errorf("%+v", d)
	}
	if _, err := s.bridge.ChangeDevice(t.Context(), "unknown", edgelens.DeviceChange{Zone: &zone}); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("an unknown device: %v", err)
	}
}

// A record with a verdict that is not understood is an event, with the reason why it does
// not count as passed, and is counted.
func TestDoubtfulVerdict(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	at := `,"time":"` + clockOf(0) + `"`
	for i, inside := range []string{``, `,"PersonType":"7"`, `,"personType":"1"`} {
		m := sluice("S1", i+1, "", "")
		m.Payload = []byte(strings.Replace(string(m.Payload), `,"PersonType":"0"`, at+inside, 1))
		c.publish(m)
	}
	events := c.waitForEvents("S1", 3)
	for i, want := range []struct {
		outcome, reason string
		passed          bool
	}{{edgelens.OutcomeNoImage, "", true}, {edgelens.OutcomeUncertain, `PersonType is "7"`, false}, {edgelens.OutcomeUncertain, `"personType" may be meant for PersonType`, false}} {
		if d := events[i].Data; d.Passed != want.passed || d.Outcome != want.outcome || !strings.Contains(d.Reason, want.reason) || d.Freshness != "fresh" {
			t.Errorf("%d: passed %v, %s, %q, %s", i, d.Passed, d.Outcome, d.Reason, d.Freshness)
		}
	}
	testutil.Eventually(t, "both are counted", func() bool { return s.device("S1").Counters.UncertainVerdicts == 2 })
	if got := s.scrape("edgelens_records_not_understood_total"); !strings.Contains(got, `{dialect="facesluice",part="verdict"} 2`) {
		t.Errorf("%s", got)
	}
}

// A state of a newer version does not accept a device.
func TestUnknownStateIsQuarantined(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	must(t, s.ledger.Devices.SaveDevices(t.Context(), edgelens.Device{ID: "S1", Dialect: "facesluice", State: "suspended", FirstSeen: time.Now(), LastSeen: time.Now()}))
	s.stop()
	s.start()
	equal(t, "state", s.device("S1").State, edgelens.DeviceQuarantined)
}
