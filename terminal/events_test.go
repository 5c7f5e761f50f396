//go:build cgo

package terminal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

// An event that the broker does not accept is sent without its large parts, or set aside,
// and does not block the others.
func TestLargeEventsDoNotBlockOthers(t *testing.T) {
	b := startBroker(t, func(c *supervise.MosquittoConfig) { c.MaxPacketBytes = 4000 })
	s := newSite(t, b).connected()
	listener := b.client("listener", "edgelens/v1/events/#")
	record := func(n int, verdict string) {
		t.Helper()
		_, err := s.worker.Receive(t.Context(), edgelens.Reception{
			Record: edgelens.Record{
				ID: edgelens.RecordID("facesluice", "door", "verified", fmt.Sprint(n), ""), Dialect: "facesluice", Device: "door", Kind: edgelens.RecordVerified,
				Key: fmt.Sprint(n), ReceivedAt: time.Now(), Verdict: []byte(verdict),
			},
			Routes: []edgelens.Route{{Sink: "mqtt"}}, MaxWaiting: 10, MaxInteractive: 1,
		})
		must(t, err)
	}
	record(1, `{"n":1}`)
	record(2, `{"n":2,"note":"`+strings.Repeat("x", 5000)+`"}`)
	record(3, `{"n":3}`)
	events := listener.waitForEvents("door", 3)
	for i, want := range []string{`{"n":1}`, `{"n":2}`, `{"n":3}`} {
		if string(events[i].Data.Record) != want {
			t.Errorf("event %d: %s", i, events[i].Data.Record)
		}
	}
	equal(t, "left out", strings.Join(events[1].Data.Reduced, " "), "record.note")
	equal(t, "left out of the others", len(events[0].Data.Reduced)+len(events[2].Data.Reduced), 0)
	if lines(s.log.String(), "connection to the MQTT broker lost")+lines(s.log.String(), "broker is unreachable") > 0 {
		t.Errorf("the connection was lost:\n%s", s.log)
	}

	// No event fits: set aside, and sent again on request.
	s.stop()
	b.stop()
	b.Config.MaxPacketBytes = 300
	b.Start()
	s.start()
	s.connected()
	record(4, `{"n":4}`)
	var aside []edgelens.SetAside
	testutil.Eventually(t, "it is set aside", func() bool {
		var err error
		aside, _, err = s.ledger.Outbox.ListSetAside(t.Context(), edgelens.SetAsideFilter{})
		must(t, err)
		return len(aside) == 1
	})
	if aside[0].Device != "door" || !strings.Contains(aside[0].Reason, "300") {
		t.Errorf("%+v", aside[0])
	}
	s.stop()
	b.stop()
	b.Config.MaxPacketBytes = 4000
	b.Start()
	s.start()
	s.connected()
	again := b.client("another", "edgelens/v1/events/#")
	n, err := s.ledger.Outbox.RetrySetAside(t.Context(), "")
	must(t, err)
	equal(t, "sent again", n, 1)
	equal(t, "the event", string(again.waitForEvents("door", 1)[0].Data.Record), `{"n":4}`)
}
