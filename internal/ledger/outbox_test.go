//go:build cgo

package ledger_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

func keysOf(deliveries []edgelens.Delivery) string {
	keys := ""
	for _, d := range deliveries {
		keys += d.Record.Key
	}
	return keys
}

// A device's records are delivered in the order of their arrival, whatever the order in which their images were
// recognized, and devices do not wait for each other.
func TestOutboxKeepsTheOrderOfEachDevice(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	first := receive(t, l, reception("a", 1))
	receive(t, l, reception("a", 2, withoutImage))
	third := receive(t, l, reception("a", 3))
	receive(t, l, reception("b", 4, withoutImage))
	keys := func() string { return keysOf(outbox(t, l, "event", "a")) + " " + keysOf(outbox(t, l, "event", "b")) }
	equal(t, "at first", keys(), " 4")
	must(t, l.Jobs.Finish(t.Context(), third.ID, resultOf("cat", 0.5)))
	equal(t, "the third is done", keys(), " 4")
	must(t, l.Jobs.Finish(t.Context(), first.ID, resultOf("cat", 0.5)))
	equal(t, "all are done", keys(), "123 4")

	devices, err := l.Outbox.OutboxDevices(t.Context(), "event")
	must(t, err)
	equal(t, "devices", fmt.Sprint(devices), "[a b]")
	must(t, l.Outbox.Delivered(t.Context(), outbox(t, l, "event", "b")[0].Seq))
	devices, err = l.Outbox.OutboxDevices(t.Context(), "event")
	must(t, err)
	equal(t, "devices", fmt.Sprint(devices), "[a]")
	devices, err = l.Outbox.OutboxDevices(t.Context(), "hook")
	must(t, err)
	equal(t, "another sink", fmt.Sprint(devices), "[a b]")
	devices, err = l.Outbox.OutboxDevices(t.Context(), "unknown")
	must(t, err)
	equal(t, "no sink", len(devices), 0)
}

// Concurrent reads of many devices do not deadlock on the connections.
func TestOutboxConcurrentReaders(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	receive(t, l, reception("a", 1, withoutImage))
	receive(t, l, reception("a", 2)) // has no result, so that the reading ends there
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var readers sync.WaitGroup
	for range 32 {
		readers.Go(func() {
			for range 50 {
				deliveries, err := l.Outbox.Outbox(ctx, "event", "a", 16)
				if err != nil || keysOf(deliveries) != "1" {
					t.Errorf("read %q, %v", keysOf(deliveries), err)
					return
				}
			}
		})
	}
	readers.Wait()
}

func TestOutboxHoldsRecordsUntilDeviceIsReleased(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	held := func(r *edgelens.Reception) { r.Held = func() bool { return true }; withoutImage(r) }
	receive(t, l, reception("a", 1, held))
	receive(t, l, reception("b", 2, held))
	equal(t, "held", len(outbox(t, l, "event", "a")), 0)
	wake, devices, cancel := l.Outbox.WatchOutbox()
	defer cancel()
	must(t, l.Devices.ReleaseDevice(t.Context(), "a"))
	<-wake
	equal(t, "woken for", fmt.Sprint(devices()), "[a]")
	equal(t, "released", keysOf(outbox(t, l, "event", "a")), "1")
	equal(t, "the other", len(outbox(t, l, "event", "b")), 0)
}

func TestWatchOutbox(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	wake, devices, cancel := l.Outbox.WatchOutbox()
	defer cancel()
	job := receive(t, l, reception("a", 1))
	receive(t, l, reception("b", 2, withoutImage))
	<-wake
	equal(t, "devices", fmt.Sprint(devices()), "[b]")
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	<-wake
	equal(t, "devices", fmt.Sprint(devices()), "[a]")
	equal(t, "devices since", len(devices()), 0)
	closeLedger(t, l)
	if _, open := <-wake; open {
		t.Error("the channel is not closed")
	}
}

func TestOutboxSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	job := receive(t, l, reception("a", 1))
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	before := outbox(t, l, "hook", "a")
	closeLedger(t, l)
	l = open(t, dir, quiet())
	if after := outbox(t, l, "hook", "a"); !reflect.DeepEqual(after, before) {
		t.Errorf("%+v, was %+v", after, before)
	}
	if _, err := l.Images.Image(t.Context(), job.ID); err != nil {
		t.Errorf("the image that the hook is to get: %v", err)
	}
}

// Undelivered rows are not swept for their age, and all but the access records are dropped, the oldest first.
func TestOutboxDropsAllButAccessRecords(t *testing.T) {
	snapshot := func(r *edgelens.Reception) {
		r.Record.Kind, r.Record.Passed = edgelens.RecordSnapshot, false
		r.Routes = r.Routes[:1]
		withoutImage(r)
	}
	access := func(r *edgelens.Reception) { r.Routes = r.Routes[:1]; withoutImage(r) }
	for name, test := range map[string]struct {
		config func(*ledger.Config)
		now    time.Time
		want   string
		shed   int64
	}{
		"young":             {func(*ledger.Config) {}, time.UnixMicro(40_000_000), "12345", 0},
		"old":               {func(c *ledger.Config) { c.OutboxMaxAge = time.Minute }, time.UnixMicro(76_000_000), "145", 2},
		"all old":           {func(c *ledger.Config) { c.OutboxMaxAge = time.Minute }, time.UnixMicro(500_000_000), "14", 3},
		"kept beyond age":   {func(c *ledger.Config) { c.MaxAge = time.Minute }, time.UnixMicro(5_000_000_000), "12345", 0},
		"no space for more": {func(c *ledger.Config) { c.OutboxMaxBytes = 1 << 20 }, time.UnixMicro(40_000_000), "14", 3},
	} {
		t.Run(name, func(t *testing.T) {
			config := quiet()
			config.OutboxMaxAge = 1000 * time.Hour
			test.config(&config)
			l := open(t, t.TempDir(), config)
			for n, kind := range []func(*edgelens.Reception){access, snapshot, snapshot, access, snapshot} {
				receive(t, l, reception("a", n+1, kind))
			}
			if config.OutboxMaxBytes == 1<<20 {
				for n := range 600 { // 2 kB each
					receive(t, l, reception("b", n, access))
				}
			}
			_, err := l.Sweep(t.Context(), test.now)
			must(t, err)
			equal(t, "left", keysOf(outbox(t, l, "event", "a")), test.want)
			stats, err := l.Outbox.Stats(t.Context())
			must(t, err)
			equal(t, "shed", stats["event"].Shed, test.shed)
		})
	}
}

func TestDevices(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	at := time.UnixMicro(5_000_000).UTC()
	door := edgelens.Device{ID: "door", Dialect: "fungxi", State: edgelens.DeviceAccepted, Online: true, FirstSeen: at, LastSeen: at}
	gate := edgelens.Device{ID: "gate", Dialect: "facesluice", State: edgelens.DeviceQuarantined, FirstSeen: at, LastSeen: at}
	must(t, l.Devices.SaveDevices(t.Context(), door, gate))
	door.LastSeen, door.Counters.Heartbeats = at.Add(time.Second), 3
	must(t, l.Devices.SaveDevices(t.Context(), door))
	door.Online, door.Settings = false, edgelens.DeviceSettings{
		Zone: "Asia/Shanghai", ApplyClockOffset: true, Charset: "big5", Fit: edgelens.FitSweep, Region: edgelens.Region{X: 0.1, Width: 0.7, Height: 1.0 / 3},
	}
	must(t, l.Devices.SaveDevices(t.Context(), door))
	closeLedger(t, l)
	l = open(t, dir, quiet())
	devices, err := l.Devices.Devices(t.Context())
	must(t, err)
	if want := []edgelens.Device{door, gate}; !reflect.DeepEqual(devices, want) {
		t.Errorf("%+v, want %+v", devices, want)
	}
	var events string
	for _, e := range allEvents(t, l) {
		events += e.Type + " " + e.Subject + " " + string(e.Data) + "\n"
	}
	equal(t, "events", events, `device door {"id":"door","dialect":"fungxi","state":"accepted","online":true}
device gate {"id":"gate","dialect":"facesluice","state":"quarantined","online":false}
device door {"id":"door","dialect":"fungxi","state":"accepted","online":false}
`)
}
