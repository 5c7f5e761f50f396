//go:build cgo

package terminal_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/envelope"
	"edgelens/identity/keys"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
	"edgelens/terminal"
)

// sealing is a site whose devices have keys.
type sealing struct {
	t    testing.TB
	node *ecdsa.PrivateKey
	keys map[string]*ecdsa.PrivateKey // by device
}

func newSealing(t testing.TB, devices ...string) *sealing {
	t.Helper()
	s := &sealing{t: t, keys: map[string]*ecdsa.PrivateKey{}}
	var err error
	s.node, err = keys.New()
	must(t, err)
	for _, device := range devices {
		s.keys[device], err = keys.New()
		must(t, err)
	}
	return s
}

// on gives a site the keys.
func (s *sealing) on(site *site) {
	site.envelopes = func(l *ledger.Ledger) terminal.Envelopes {
		ring, err := envelope.OpenRing(context.Background(), l.DeviceKeys)
		must(s.t, err)
		for device, key := range s.keys {
			der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
			must(s.t, err)
			_, err = ring.AddDeviceKey(context.Background(), device, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
			must(s.t, err)
		}
		opener, err := envelope.NewOpener(envelope.DefaultConfig(), s.node, ring.Find, l.DeviceKeys, time.Now)
		must(s.t, err)
		return opener
	}
}

func (s *sealing) seal(device, message string) string {
	s.t.Helper()
	sealed, err := envelope.Sealer{Key: s.keys[device], Node: &s.node.PublicKey, Now: time.Now}.Seal([]byte(message), 0)
	must(s.t, err)
	return string(sealed)
}

func fungxiRecord(num int) string {
	return fmt.Sprintf(`{"cmd":"verifiedRecordU","data":[{"num":%d,"name":"Ann","verifiedCode":0,"personType":"1"}]}`, num)
}

// Sealed messages work on the topics of every dialect, beside plain ones.
func TestSealedMessages(t *testing.T) {
	b := startBroker(t)
	keyed := newSealing(t, "F1", "cam")
	s := newSite(t, b, keyed.on).connected()
	c := b.client("c", "edgelens/v1/events/#", "fungxi_F1_downLink")
	c.publishText("fungxi_F1_upLink", keyed.seal("F1", `{"cmd":"heartU"}`))
	c.publishText("fungxi_F1_upLink", keyed.seal("F1", fungxiRecord(1)))
	c.publishText("edgelens/v1/devices/cam/snapshot", keyed.seal("cam", "\xff\xd8 an image \xff\xd9"))
	c.publishText("fungxi_F2_upLink", fungxiRecord(2))
	for _, device := range []string{"F1", "cam", "F2"} {
		c.waitForEvents(device, 1)
	}
	testutil.Eventually(t, "the heartbeat is answered", func() bool { return s.device("F1").Counters.Heartbeats == 1 })
	testutil.Eventually(t, "all are counted", func() bool {
		return strings.Contains(s.scrape("edgelens_envelopes_total"), `{outcome="opened"} 3`)
	})
	if text := s.log.String(); strings.Contains(text, "refused") {
		t.Errorf("logged:\n%s", text)
	}
}

// What does not prove to be of its device is refused, counted and listed, and is no record.
func TestUnprovenMessages(t *testing.T) {
	b := startBroker(t)
	keyed := newSealing(t, "F1", "F2")
	s := newSite(t, b, keyed.on).connected()
	c := b.client("c", "edgelens/v1/events/#")
	c.publishText("fungxi_F1_upLink", fungxiRecord(1)) // so that it can be configured
	c.waitForEvents("F1", 1)
	yes := true
	_, err := s.bridge.ChangeDevice(t.Context(), "F1", edgelens.DeviceChange{SealedOnly: &yes})
	must(t, err)

	good := keyed.seal("F1", fungxiRecord(2))
	c.publishText("fungxi_F1_upLink", good)
	c.waitForEvents("F1", 2)
	c.publishText("fungxi_F1_upLink", fungxiRecord(3))                   // plain
	c.publishText("fungxi_F1_upLink", `{"cmd":"heartU"}`)                // plain
	c.publishText("fungxi_F1_upLink", good)                              // a replay
	c.publishText("fungxi_F1_upLink", good[:len(good)-400])              // cut off
	c.publishText("fungxi_F1_upLink", keyed.seal("F2", fungxiRecord(4))) // of another device
	c.publishText("edgelens/v1/devices/F1/snapshot", keyed.seal("F2", "\xff\xd8 an image \xff\xd9"))
	for outcome, n := range map[string]int{"plain": 2, "replay": 1, "device": 2, "opened": 1} {
		testutil.Eventually(t, outcome, func() bool {
			return strings.Contains(s.scrape("edgelens_envelopes_total"), fmt.Sprintf(`{outcome="%s"} %d`, outcome, n))
		})
	}
	testutil.Eventually(t, "all are counted", func() bool { return s.device("F1").Counters.Unproven == 6 })
	list, err := s.bridge.NotUnderstood(t.Context())
	must(t, err)
	for _, reason := range []string{"not sealed", "replay", "sealed by the key of F2"} {
		if !slices.ContainsFunc(list, func(one edgelens.NotUnderstood) bool {
			return one.Device == "F1" && strings.Contains(one.Reason, reason)
		}) {
			t.Errorf("%q is not listed in %+v", reason, list)
		}
	}
	if n := len(c.events("F1")); n != 2 {
		t.Errorf("%d events", n)
	}
	// The guard is durable, and the device may send on.
	s.stop()
	s.start()
	s.connected()
	c.publishText("fungxi_F1_upLink", good)
	testutil.Eventually(t, "the replay after the restart", func() bool {
		return strings.Contains(s.scrape("edgelens_envelopes_total"), `{outcome="replay"} 1`)
	})
	c.publishText("fungxi_F1_upLink", keyed.seal("F1", fungxiRecord(5)))
	c.waitForEvents("F1", 3)
}
