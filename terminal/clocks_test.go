//go:build cgo

package terminal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
)

// clockOf is the time of a UTC clock that is ahead of ours.
func clockOf(ahead time.Duration) string {
	return time.Now().UTC().Add(ahead).Format("2006-01-02 15:04:05")
}

// sluice is a record of a facesluice camera with those members in it and beside it.
func sluice(device string, n int, inside, beside string) dialect.Outgoing {
	return dialect.Outgoing{Topic: "mqtt/face/" + device + "/Rec", QoS: 1, Payload: fmt.Appendf(nil,
		`{"operator":"RecPush"%s,"info":{"RecordID":"%d","VerifyStatus":"1","PersonType":"0"%s}}`, beside, n, inside)}
}

func beat(device, at string) dialect.Outgoing {
	return dialect.Outgoing{Topic: "mqtt/face/heartbeat", QoS: 1, Payload: fmt.Appendf(nil,
		`{"operator":"HeartBeat","info":{"facesluiceId":%q,"time":%q}}`, device, at)}
}

// A record is fresh only where its time proves it, however it is written and
// wherever it stands; what does not is counted.
func TestFreshnessIsProved(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	const hour = time.Hour
	fresh, replayed, unknown := edgelens.FreshnessFresh, edgelens.FreshnessReplayed, edgelens.FreshnessUnknown
	quoted := func(text string) string { return `"` + text + `"` }
	n := 0
	for name, test := range map[string]struct {
		beats  []time.Duration // what heartbeats before it show, ahead of ours
		record func(device string) dialect.Outgoing
		want   edgelens.Freshness
		count  func(edgelens.DeviceCounters) int64 // of what was not understood
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
		"no time, but words": {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"time":"soon"`, "") }, unknown, func(c edgelens.DeviceCounters) int64 { return c.UnreadableTimes }},
		"day or month":       {nil, func(d string) dialect.Outgoing { return sluice(d, 1, `,"time":"03/04/2024 10:00:07"`, "") }, unknown, func(c edgelens.DeviceCounters) int64 { return c.UnreadableTimes }},
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
				c.tell(beat(device, clockOf(ahead)))
			}
			c.tell(test.record(device))
			e := c.waitForEvents(device, 1)[0].Data
			if e.Freshness != string(test.want) || e.Replayed != (test.want != fresh) || (e.FreshnessReason == "") != (test.want == fresh) {
				t.Errorf("%s, replayed %v, %q, captured at %v", e.Freshness, e.Replayed, e.FreshnessReason, e.CapturedAt)
			}
			if test.count != nil {
				eventually(t, "it is counted", func() bool { return test.count(s.device(device).Counters) == 1 })
			}
			if item, err := s.ledger.Result(t.Context(), c.events(device)[0].ID); err != nil || item.Freshness != test.want {
				t.Errorf("in the history: %q, %v", item.Freshness, err)
			}
		})
	}
}

// Records that a terminal had kept do not make its clock seem behind.
func TestABacklogDoesNotDisturb(t *testing.T) {
	b := startBroker(t)
	newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	for n := range 12 {
		r := record(n)
		r.CapturedAt = time.Now().Add(-2 * time.Hour)
		c.tell(fungxis.Record("F1", r, nil))
	}
	c.tell(fungxis.Record("F1", record(100), nil))
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
