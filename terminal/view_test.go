//go:build cgo

package terminal_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/notify/event"
	"edgelens/internal/testutil"
)

// viewOf describes the view of an event.
func viewOf(e event.CloudEvent) string {
	if e.Data.View == nil {
		return "none"
	}
	region := "all"
	if r := e.Data.View.Region; r != nil {
		region = edgelens.Region(*r).String()
	}
	return fmt.Sprintf("%s of %s, %d", e.Data.View.Fit, region, e.Data.View.Count)
}

// Images are recognized as the settings of their device say, from the next record on and
// after a restart, and events have what was shown.
func TestViewOfDevices(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	n, seen := 0, map[string]int{}
	view := func(device string) string {
		t.Helper()
		n++
		c.publishText("edgelens/v1/devices/"+device+"/snapshot", fmt.Sprintf("image %d", n))
		seen[device]++
		return viewOf(c.waitForEvents(device, seen[device])[seen[device]-1])
	}
	change := func(change edgelens.DeviceChange) edgelens.DeviceSettings {
		t.Helper()
		d, err := s.bridge.ChangeDevice(t.Context(), "C1", change)
		must(t, err)
		return d.Settings
	}
	sweep, none, gate, all := edgelens.FitSweep, edgelens.Fit(""), edgelens.Region{X: 0.1, Y: 0.2, Width: 0.5, Height: 0.8}, edgelens.Region{}
	equal(t, "without settings", view("C1"), "center of all, 1")
	equal(t, "settings", change(edgelens.DeviceChange{Fit: &sweep}), edgelens.DeviceSettings{Fit: sweep})
	equal(t, "a fit", view("C1"), "sweep of all, 1")
	equal(t, "settings", change(edgelens.DeviceChange{Region: &gate}), edgelens.DeviceSettings{Fit: sweep, Region: gate})
	equal(t, "a fit and a region", view("C1"), "sweep of 0.1,0.2,0.5,0.8, 1")
	equal(t, "of another device", view("C2"), "center of all, 1")
	s.stop()
	s.start()
	s.connected()
	equal(t, "settings after a restart", s.device("C1").Settings, edgelens.DeviceSettings{Fit: sweep, Region: gate})
	equal(t, "after a restart", view("C1"), "sweep of 0.1,0.2,0.5,0.8, 1")
	equal(t, "settings", change(edgelens.DeviceChange{Fit: &none}), edgelens.DeviceSettings{Region: gate})
	equal(t, "a region", view("C1"), "center of 0.1,0.2,0.5,0.8, 1")
	equal(t, "settings", change(edgelens.DeviceChange{Region: &all}), edgelens.DeviceSettings{})
	equal(t, "reset", view("C1"), "center of all, 1")
	if got := lines(s.log.String(), `msg="settings of a device changed" device=C1`); got == 0 {
		t.Errorf("the log: %s", s.log)
	}

	// A record of a terminal with an image, too; one without has no view.
	if _, err := s.bridge.ChangeDevice(t.Context(), "F1", edgelens.DeviceChange{Fit: &sweep}); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("a device that is not known yet: %v", err)
	}
	c.publish(fungxis.Record("F1", record(1), nil))
	equal(t, "without an image", viewOf(c.waitForEvents("F1", 1)[0]), "none")
	if _, err := s.bridge.ChangeDevice(t.Context(), "F1", edgelens.DeviceChange{Fit: &sweep}); err != nil {
		t.Fatal(err)
	}
	c.publish(fungxis.Record("F1", record(2), []byte("an image")))
	equal(t, "of a terminal", viewOf(c.waitForEvents("F1", 2)[1]), "sweep of all, 1")
}

// An invalid view changes nothing.
func TestInvalidViewOfDevices(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	c.publishText("edgelens/v1/devices/C1/snapshot", "an image")
	c.waitForEvents("C1", 1)
	pad, gate := edgelens.FitPad, edgelens.Region{Width: 0.5, Height: 1}
	if _, err := s.bridge.ChangeDevice(t.Context(), "C1", edgelens.DeviceChange{Fit: &pad, Region: &gate}); err != nil {
		t.Fatal(err)
	}
	sweep, unknown, uppercase, refused := edgelens.FitSweep, edgelens.Fit("crop"), edgelens.Fit("CENTER"), edgelens.DeviceRefused
	for name, change := range map[string]edgelens.DeviceChange{
		"an unknown fit":    {Fit: &unknown, State: &refused},
		"a fit, uppercase":  {Fit: &uppercase, Region: &edgelens.Region{}},
		"a region with NaN": {Fit: &sweep, Region: &edgelens.Region{X: math.NaN(), Width: 1, Height: 1}},
		"an infinite one":   {Fit: &sweep, Region: &edgelens.Region{Width: math.Inf(1), Height: 1}},
		"a negative one":    {Fit: &sweep, Region: &edgelens.Region{X: -0.1, Width: 1, Height: 1}},
		"an empty one":      {Fit: &sweep, Region: &edgelens.Region{X: 0.5}},
		"one in pixels":     {Fit: &sweep, Region: &edgelens.Region{Width: 1e9, Height: 480}},
	} {
		if _, err := s.bridge.ChangeDevice(t.Context(), "C1", change); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if d := s.device("C1"); d.State != edgelens.DeviceAccepted || d.Settings != (edgelens.DeviceSettings{Fit: pad, Region: gate}) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// A region that is too small for an image is the reason in the event of its record, once.
func TestRegionTooSmallForAnImage(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	c := b.client("c", "edgelens/v1/events/#")
	s.worker.set(func(w *worker) {
		w.fail = fmt.Errorf("recognize: %w: the region has 2 by 480 pixels", edgelens.ErrInvalid)
	})
	c.publish(fungxis.Record("F1", record(1), []byte("image 1")))
	first := c.waitForEvents("F1", 1)[0].Data
	if first.Outcome != edgelens.OutcomeError || !strings.Contains(first.Reason, "2 by 480 pixels") || first.View != nil || !first.Passed {
		t.Errorf("%+v", first)
	}
	s.worker.set(func(w *worker) { w.fail = nil })
	c.publish(fungxis.Record("F1", record(2), []byte("image 2")))
	if events := c.waitForEvents("F1", 2); len(events) != 2 || events[1].Data.Outcome != edgelens.OutcomeRecognized {
		t.Errorf("%+v", events)
	}
	testutil.Eventually(t, "each is counted once", func() bool {
		counters := s.device("F1").Counters
		return counters.Records == 2 && counters.Lost == 0 && counters.Duplicates == 0
	})
}

// A fit of a newer version is ignored: no record is lost for it.
func TestUnknownFitInStore(t *testing.T) {
	b := startBroker(t)
	s := newSite(t, b).connected()
	must(t, s.ledger.Devices.SaveDevices(t.Context(), edgelens.Device{
		ID: "C1", Dialect: "camera", State: edgelens.DeviceAccepted, FirstSeen: time.Now(), LastSeen: time.Now(),
		Settings: edgelens.DeviceSettings{Zone: "UTC", Fit: "saliency", Region: edgelens.Region{Width: 0.5, Height: 1}},
	}))
	s.stop()
	s.start()
	s.connected()
	equal(t, "settings", s.device("C1").Settings, edgelens.DeviceSettings{Zone: "UTC", Region: edgelens.Region{Width: 0.5, Height: 1}})
	c := b.client("c", "edgelens/v1/events/#")
	c.publishText("edgelens/v1/devices/C1/snapshot", "an image")
	equal(t, "view", viewOf(c.waitForEvents("C1", 1)[0]), "center of 0,0,0.5,1, 1")
}
