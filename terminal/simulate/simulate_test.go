package simulate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/terminal/camera"
	"edgelens/terminal/dialect"
	"edgelens/terminal/facesluice"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
	"edgelens/terminal/simulate"
)

func digest(image []byte) string {
	if len(image) == 0 {
		return ""
	}
	sum := sha256.Sum256(image)
	return hex.EncodeToString(sum[:])
}

func fungxiDialect() dialect.Dialect { return fungxi.New(fungxi.DefaultConfig()) }

// smallImage is a small JPEG.
func smallImage(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// config is for terminals that send ten records as fast as possible.
func config(t testing.TB, address session.Address, d dialect.Dialect, simulator dialect.Simulator) simulate.Config {
	c := simulate.DefaultConfig()
	c.Broker, c.Dialect, c.Simulator = address, d, simulator
	c.Devices = simulate.Serials("T", 3)
	c.Rate, c.Records, c.Images, c.Distinct, c.Keep, c.Seed = 0, 10, [][]byte{smallImage(t)}, true, true, 7
	return c
}

func run(t testing.TB, c simulate.Config) (*simulate.Fleet, simulate.Report) {
	t.Helper()
	fleet, err := simulate.New(c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	if err := fleet.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("it did not finish: %+v", fleet.Report())
	}
	return fleet, fleet.Report()
}

// sameRecords checks that the received records are the sent ones.
func sameRecords(t *testing.T, sent []simulate.Sent, r *responder) {
	t.Helper()
	want := map[string]bool{}
	for _, s := range sent {
		want[s.ID] = true
	}
	arrived := func() bool { // the broker may still be delivering them
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.ids) >= len(want)
	}
	for deadline := time.Now().Add(10 * time.Second); !arrived() && time.Now().Before(deadline); {
		time.Sleep(2 * time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range sent {
		if s.Uncertain || s.NoSubscriber {
			t.Errorf("not confirmed: %+v", s)
		}
		if r.ids[s.ID] == 0 {
			t.Errorf("sent, but not received: %+v", s)
		}
	}
	for id := range r.ids {
		if !want[id] {
			t.Errorf("received, but not sent: %s", id)
		}
	}
}

func TestEveryDialectGetsAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		dialect                  dialect.Dialect
		simulator                dialect.Simulator
		beats, beatsDue, onlines int
		acks                     int
	}{
		"fungxi":               {fungxiDialect(), fungxi.NewSimulator(nil), 3, 3, 0, 0},
		"fungxi, acknowledged": {fungxi.New(fungxi.Config{Ack: fungxi.AckEcho, MaxImageBytes: 1 << 20}), fungxi.NewSimulator(nil), 3, 3, 0, 30},
		"facesluice":           {facesluice.New(facesluice.DefaultConfig()), facesluice.NewSimulator(nil), 3, 0, 3, 30},
		"camera":               {camera.New(camera.DefaultConfig()), camera.NewSimulator(), 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := broker(t)
			r := respond(t, address, test.dialect)
			fleet, report := run(t, config(t, address, test.dialect, test.simulator))
			if err := report.Err(); err != nil {
				t.Error(err)
			}
			if h := report.Heartbeats; h.Sent != test.beats || h.Due != test.beatsDue || h.Answered != test.beatsDue {
				t.Errorf("heartbeats %+v", h)
			}
			if report.Onlines.Answered != test.onlines || report.Records.Sent != 30 || report.Records.Answered != test.acks {
				t.Errorf("onlines %+v records %+v", report.Onlines, report.Records)
			}
			if l := report.Heartbeats.Latency; test.beatsDue > 0 && (l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max || l.Max > 5*time.Second) {
				t.Errorf("latency %+v", l)
			}
			if sent := fleet.Sent(); len(sent) != 30 {
				t.Errorf("%d records were sent", len(sent))
			}
			sameRecords(t, fleet.Sent(), r)
		})
	}
}

func TestDamagedMessagesAreCounted(t *testing.T) {
	const limit = 64 << 10
	for name, test := range map[string]struct {
		dialect   dialect.Dialect
		simulator dialect.Simulator
	}{
		"fungxi":     {fungxi.New(fungxi.Config{Ack: fungxi.AckNone, MaxImageBytes: limit}), fungxi.NewSimulator(nil)},
		"facesluice": {facesluice.New(facesluice.Config{MaxImageBytes: limit}), facesluice.NewSimulator(nil)},
		"camera":     {camera.New(camera.Config{MaxImageBytes: limit}), camera.NewSimulator()},
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := broker(t)
			r := respond(t, address, test.dialect)
			c := config(t, address, test.dialect, test.simulator)
			c.Records, c.Duplicates, c.Reordered, c.Damaged, c.LargeBytes = 60, 0.3, 0.3, 0.3, 2*limit
			fleet, report := run(t, c)
			if report.Duplicates == 0 || report.Reordered == 0 || report.Damaged == 0 || report.Damaged+report.Records.Sent != 180 {
				t.Errorf("%+v", report)
			}
			if err := report.Err(); err != nil {
				t.Error(err)
			}
			sameRecords(t, fleet.Sent(), r)
			damagedRecords := 0
			for _, s := range fleet.Sent() {
				if s.Damaged {
					damagedRecords++
				}
			}
			testutil.Eventually(t, "damaged messages arrived", func() bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				return r.malformed > 0 || name == "camera"
			})
			if damagedRecords == 0 {
				t.Error("no damaged message held a record")
			}
		})
	}
}

func TestOrderIsKept(t *testing.T) {
	address, _ := broker(t)
	r := respond(t, address, fungxiDialect())
	c := config(t, address, fungxiDialect(), fungxi.NewSimulator(nil))
	c.Records, c.FirstKey = 50, 1000
	fleet, _ := run(t, c)
	sameRecords(t, fleet.Sent(), r)
	r.mu.Lock()
	defer r.mu.Unlock()
	for device, keys := range r.keys {
		if len(keys) != 50 || !slices.IsSorted(keys) || keys[0] != 1000 {
			t.Errorf("%s: %v", device, keys)
		}
	}
}

func TestMissingResponderIsReported(t *testing.T) {
	address, _ := broker(t)
	c := config(t, address, facesluice.New(facesluice.DefaultConfig()), facesluice.NewSimulator(nil))
	c.Records, c.RetryUnacked, c.Tries, c.AnswerTimeout = 2, 20*time.Millisecond, 2, 50*time.Millisecond
	fleet, report := run(t, c)
	if report.Records.Unanswered != 6 || report.Resent < 6 || report.Onlines.Unanswered == 0 {
		t.Errorf("%+v", report)
	}
	if err := report.Err(); !errors.Is(err, simulate.ErrUnanswered) || !strings.Contains(err.Error(), "6 of 6 records were not answered") {
		t.Errorf("%v", err)
	}
	for _, s := range fleet.Sent() {
		if !s.Uncertain {
			t.Errorf("unconfirmed, but not uncertain: %+v", s)
		}
	}
}

func TestNoSubscriberIsReported(t *testing.T) {
	address, _ := broker(t)
	c := config(t, address, fungxiDialect(), fungxi.NewSimulator(nil))
	c.AnswerTimeout = 50 * time.Millisecond
	_, report := run(t, c)
	if report.NoSubscriber != 33 || report.Heartbeats.Unanswered != 3 || report.Err() == nil {
		t.Errorf("%+v", report)
	}
}

func TestUnacknowledgedIsResent(t *testing.T) {
	address, _ := broker(t)
	d := facesluice.New(facesluice.DefaultConfig())
	r := respond(t, address, d)
	r.mu.Lock()
	r.ignore = 4
	r.mu.Unlock()
	c := config(t, address, d, facesluice.NewSimulator(nil))
	c.RetryUnacked, c.Tries = 50*time.Millisecond, 100
	fleet, report := run(t, c)
	if report.Resent < 4 || report.Records.Answered != 30 || report.Records.Unanswered != 0 {
		t.Errorf("%+v", report)
	}
	sameRecords(t, fleet.Sent(), r)
}

func TestKilledBroker(t *testing.T) {
	for name, test := range map[string]struct {
		dialect   dialect.Dialect
		simulator dialect.Simulator
	}{
		"fungxi":     {fungxiDialect(), fungxi.NewSimulator(nil)},
		"facesluice": {facesluice.New(facesluice.DefaultConfig()), facesluice.NewSimulator(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			address, mosquitto := broker(t)
			r := respond(t, address, test.dialect)
			c := config(t, address, test.dialect, test.simulator)
			c.Rate, c.Records, c.RetryUnacked, c.Tries = 50, 200, 200*time.Millisecond, 1000
			fleet, err := simulate.New(c, quiet)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- fleet.Run(t.Context()) }()
			testutil.Eventually(t, "records are being sent", func() bool { return fleet.Report().Records.Sent > 50 })
			if err := syscall.Kill(mosquitto.PID(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if n := fleet.Report().Records.Sent; n != 600 {
				t.Errorf("%d records were sent", n)
			}
			// Messages that the broker confirmed within a second before it was killed may be
			// lost; records that a receiver acknowledged are not.
			if name == "facesluice" {
				sameRecords(t, fleet.Sent(), r)
			}
		})
	}
}

func TestCommandReachesTheTerminal(t *testing.T) {
	address, _ := broker(t)
	d := facesluice.New(facesluice.DefaultConfig())
	r := respond(t, address, d)
	c := config(t, address, d, facesluice.NewSimulator(nil))
	c.Devices, c.Rate, c.Records = []string{"door"}, 0, 0
	var commanded atomic.Value
	c.OnCommand = func(device string, payload []byte) { commanded.Store(device + " " + string(payload)) }
	fleet, err := simulate.New(c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- fleet.Run(ctx) }()
	testutil.Eventually(t, "the terminal is online", func() bool { return fleet.Report().Onlines.Answered == 1 })
	command, err := d.Command("door", "c1", []byte(`{"cmd":"open"}`), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Publish(t.Context(), session.Outgoing{Topic: command.Topic, Payload: command.Payload, QoS: 1}); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "the terminal replied", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.outcomes) == 1 && r.outcomes[0].Command == "c1" && r.outcomes[0].OK
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got, _ := commanded.Load().(string); !strings.HasPrefix(got, `door {"operator":"Unlock"`) {
		t.Errorf("OnCommand got %q", got)
	}
	if n := fleet.Report().Commands; n != 1 {
		t.Errorf("%d commands", n)
	}
}

func TestOwnImagesAreDifferent(t *testing.T) {
	address, _ := broker(t)
	respond(t, address, camera.New(camera.DefaultConfig()))
	c := config(t, address, camera.New(camera.DefaultConfig()), camera.NewSimulator())
	c.Images = nil
	fleet, _ := run(t, c)
	seen := map[string]bool{}
	for _, s := range fleet.Sent() {
		seen[s.ImageSHA256] = true
	}
	if len(seen) != 30 {
		t.Errorf("%d different images of 30", len(seen))
	}
}

func TestSameSeedSendsTheSameRecords(t *testing.T) {
	address, _ := broker(t)
	respond(t, address, fungxiDialect())
	c := config(t, address, fungxiDialect(), fungxi.NewSimulator(nil))
	c.FirstKey, c.Devices, c.Images = 5, []string{"one"}, nil
	kinds := func() (all []string) {
		fleet, _ := run(t, c)
		for _, s := range fleet.Sent() {
			all = append(all, s.Kind+s.ImageSHA256)
		}
		return all
	}
	if first, second := kinds(), kinds(); !slices.Equal(first, second) {
		t.Errorf("%v\n%v", first, second)
	}
}

func TestBadConfigIsRefused(t *testing.T) {
	good := simulate.DefaultConfig()
	good.Dialect, good.Simulator, good.Devices = fungxiDialect(), fungxi.NewSimulator(nil), simulate.Serials("T", 2)
	if _, err := simulate.New(good, quiet); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*simulate.Config){
		"no dialect":       func(c *simulate.Config) { c.Dialect = nil },
		"another dialect":  func(c *simulate.Config) { c.Simulator = camera.NewSimulator() },
		"no terminals":     func(c *simulate.Config) { c.Devices = nil },
		"a bad serial":     func(c *simulate.Config) { c.Devices = []string{"a/b"} },
		"the same serial":  func(c *simulate.Config) { c.Devices = []string{"a", "a"} },
		"a share over 1":   func(c *simulate.Config) { c.Damaged = 1.1 },
		"shares over 1":    func(c *simulate.Config) { c.Passed, c.Strangers = 0.7, 0.7 },
		"a negative rate":  func(c *simulate.Config) { c.Rate = -1 },
		"negative records": func(c *simulate.Config) { c.Records = -1 },
		"no timeout":       func(c *simulate.Config) { c.AnswerTimeout = 0 },
		"QoS 2":            func(c *simulate.Config) { c.QoS = new(byte(2)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			spoil(&c)
			if _, err := simulate.New(c, quiet); !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestReportInJSON(t *testing.T) {
	r := simulate.Report{Heartbeats: simulate.Exchange{Latency: simulate.Latency{P50: 1500 * time.Microsecond}}}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `"latency_ms":{"max":0,"p50":1.5,`) {
		t.Errorf("%v %s", err, text)
	}
}
