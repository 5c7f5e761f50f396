//go:build cgo

package terminal_test

import (
	"fmt"
	"testing"
	"time"

	"edgelens/internal/testutil"
)

// Two nodes of a group share the messages, and both know the presence of all devices.
func TestGroupSharesTheLoad(t *testing.T) {
	b := startBroker(t)
	in := func(node string) func(*site) {
		return func(s *site) { s.config.Group, s.node = "site", node }
	}
	first, second := newSite(t, b, in("n1")).connected(), newSite(t, b, in("n2")).connected()
	c := b.client("c", "edgelens/v1/#")
	const n = 40
	for i := range n {
		c.publish(fungxis.Record("F1", record(i), []byte(fmt.Sprint("image ", i))))
	}
	events := c.waitForEvents("F1", n)
	ids := map[string]int{}
	for _, e := range events {
		ids[e.ID]++
	}
	if len(ids) != n || len(events) != n {
		t.Errorf("%d events with %d ids, want %d", len(events), len(ids), n)
	}
	a, z := first.device("F1").Counters.Records, second.device("F1").Counters.Records
	if a+z != n || a < n/4 || z < n/4 {
		t.Errorf("shared %d to %d", a, z)
	}
	heartbeat, _ := fungxis.Heartbeat("F2", time.Now())
	c.publish(heartbeat)
	for _, s := range []*site{first, second} {
		testutil.Eventually(t, "both know", func() bool { d, err := s.bridge.Device(t.Context(), "F2"); return err == nil && d.Online })
	}
	c.waitFor("edgelens/v1/status/n1", 1)
	c.waitFor("edgelens/v1/status/n2", 1)
}

// Messages that arrive while a node of the group is stopped go to the others at once.
func TestGroupWorksWithoutAMember(t *testing.T) {
	b := startBroker(t)
	in := func(node string) func(*site) {
		return func(s *site) { s.config.Group, s.node = "site", node }
	}
	newSite(t, b, in("n1")).connected()
	newSite(t, b, in("n2")).connected().stop()
	c := b.client("c", "edgelens/v1/#")
	const n = 20
	for i := range n {
		c.publish(fungxis.Record("F1", record(i), []byte(fmt.Sprint("image ", i))))
	}
	c.waitForEvents("F1", n)
}
