package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/testutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outbox is an outbox in memory.
type outbox struct {
	mu        sync.Mutex
	seq       int64
	waiting   map[string][]edgelens.Delivery // by sink and device
	wake      chan struct{}
	changed   []string
	fail      error
	delivered []string // sink device key
	aside     []string // reasons
	failed    []string // seqs and reasons
}

func newOutbox() *outbox {
	return &outbox{waiting: map[string][]edgelens.Delivery{}, wake: make(chan struct{}, 1)}
}

func (o *outbox) add(sink, device string, keys ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, key := range keys {
		o.seq++
		at := sink + " " + device
		o.waiting[at] = append(o.waiting[at], edgelens.Delivery{Seq: o.seq, Sink: sink, Record: edgelens.Record{ID: key, Device: device, Key: key}})
	}
	o.changed = append(o.changed, device)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) WatchOutbox() (<-chan struct{}, func() []string, func()) {
	return o.wake, func() []string {
		o.mu.Lock()
		defer o.mu.Unlock()
		changed := o.changed
		o.changed = nil
		return changed
	}, func() {}
}

func (o *outbox) OutboxDevices(_ context.Context, sink string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var devices []string
	for at, waiting := range o.waiting {
		if of, device, _ := strings.Cut(at, " "); of == sink && len(waiting) > 0 {
			devices = append(devices, device)
		}
	}
	return devices, nil
}

func (o *outbox) Outbox(_ context.Context, sink, device string, limit int) ([]edgelens.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return nil, o.fail
	}
	waiting := o.waiting[sink+" "+device]
	return slices.Clone(waiting[:min(limit, len(waiting))]), nil
}

func (o *outbox) Delivered(_ context.Context, seqs ...int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for at, waiting := range o.waiting {
		o.waiting[at] = slices.DeleteFunc(waiting, func(d edgelens.Delivery) bool {
			if !slices.Contains(seqs, d.Seq) {
				return false
			}
			o.delivered = append(o.delivered, at+" "+d.Record.Key)
			return true
		})
	}
	return nil
}

func (o *outbox) Failed(seq int64, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = append(o.failed, fmt.Sprint(seq, " ", reason))
}

func (o *outbox) SetAside(ctx context.Context, seq int64, reason string) error {
	o.mu.Lock()
	o.aside = append(o.aside, reason)
	o.mu.Unlock()
	return o.Delivered(ctx, seq)
}

func (o *outbox) left() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, waiting := range o.waiting {
		n += len(waiting)
	}
	return n
}

// sink answers with the result of do, and records the delivered keys.
type sink struct {
	name string
	do   func(ctx context.Context, d *edgelens.Delivery) error

	mu            sync.Mutex
	delivered     map[string][]string // keys by device
	busy          map[string]bool
	concurrent    int
	calls         int
	maxConcurrent int
	problem       string
}

func (s *sink) Name() string { return s.name }

func (s *sink) Deliver(ctx context.Context, d *edgelens.Delivery) error {
	s.mu.Lock()
	if s.busy == nil {
		s.busy, s.delivered = map[string]bool{}, map[string][]string{}
	}
	if s.busy[d.Record.Device] {
		s.problem = "two concurrent deliveries of " + d.Record.Device
	}
	s.busy[d.Record.Device] = true
	s.calls++
	s.concurrent++
	s.maxConcurrent = max(s.maxConcurrent, s.concurrent)
	s.mu.Unlock()
	var err error
	if s.do != nil {
		err = s.do(ctx, d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[d.Record.Device] = false
	s.concurrent--
	if err == nil {
		s.delivered[d.Record.Device] = append(s.delivered[d.Record.Device], d.Record.Key)
	}
	return err
}

func (s *sink) keys(device string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.delivered[device], " ")
}

func quick() notify.Config {
	return notify.Config{Workers: 4, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, Rejections: 3}
}

func start(t *testing.T, o *outbox, config notify.Config, sinks ...notify.Sink) *prometheus.Registry {
	t.Helper()
	metrics := prometheus.NewRegistry()
	dispatcher, err := notify.New(o, config, edgelens.Untraced{}, slog.New(slog.DiscardHandler), metrics)
	if err != nil {
		t.Fatal(err)
	}
	dispatcher.Start(sinks...)
	t.Cleanup(dispatcher.Stop)
	return metrics
}

func numbers(from, to int) []string {
	var keys []string
	for n := from; n < to; n++ {
		keys = append(keys, fmt.Sprint(n))
	}
	return keys
}

func TestDeliversInOrderOfEachDevice(t *testing.T) {
	var arrived sync.WaitGroup
	arrived.Add(2)
	var first atomic.Int32
	o, s := newOutbox(), &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error {
		if first.Add(1) <= 2 { // the first waits for a second, concurrent one
			arrived.Done()
			arrived.Wait()
		}
		return nil
	}}
	for device := range 20 {
		o.add("s", fmt.Sprint("d", device), numbers(0, 50)...) // before the start
	}
	start(t, o, quick(), s)
	for device := range 20 {
		o.add("s", fmt.Sprint("d", device), numbers(50, 60)...)
	}
	testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
	for device := range 20 {
		if got, want := s.keys(fmt.Sprint("d", device)), strings.Join(numbers(0, 60), " "); got != want {
			t.Errorf("device %d: %s", device, got)
		}
	}
	if s.problem != "" || s.maxConcurrent > 4 || s.maxConcurrent < 2 {
		t.Errorf("%s; %d concurrent deliveries, want 2 to 4", s.problem, s.maxConcurrent)
	}
}

// A failing sink gets every event in the end, once and in order.
func TestRetriesFailures(t *testing.T) {
	var mu sync.Mutex
	tries := 0
	o, s := newOutbox(), &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries%3 != 0 || tries < 40 {
			return errors.New("down")
		}
		return nil
	}}
	for device := range 5 {
		o.add("s", fmt.Sprint("d", device), numbers(0, 10)...)
	}
	metrics := start(t, o, quick(), s)
	testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
	for device := range 5 {
		if got, want := s.keys(fmt.Sprint("d", device)), strings.Join(numbers(0, 10), " "); got != want {
			t.Errorf("device %d: %s", device, got)
		}
	}
	testutil.Eventually(t, "all counted", func() bool { return count(t, metrics, "delivered") == 50 })
	if failed := count(t, metrics, "failed"); failed < 20 {
		t.Errorf("%v failures counted", failed)
	}
	if rejected := count(t, metrics, "rejected"); rejected != 0 {
		t.Errorf("%v rejections counted", rejected)
	}
}

// count returns edgelens_events_total of an outcome.
func count(t *testing.T, metrics *prometheus.Registry, outcome string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "edgelens_events_total" && m.GetLabel()[0].GetValue() == outcome {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// A sink that hangs for one device, and one that hangs altogether, block no other
// delivery.
func TestHangingSinkBlocksNoOther(t *testing.T) {
	release := make(chan struct{})
	hang := func(context.Context, *edgelens.Delivery) error { <-release; return errors.New("hung") }
	o := newOutbox()
	hanging := &sink{name: "hanging", do: hang}
	partial := &sink{name: "partial", do: func(ctx context.Context, d *edgelens.Delivery) error {
		if d.Record.Device == "d0" {
			return hang(ctx, d)
		}
		return nil
	}}
	for device := range 10 {
		for _, name := range []string{"hanging", "partial"} {
			o.add(name, fmt.Sprint("d", device), numbers(0, 20)...)
		}
	}
	start(t, o, quick(), hanging, partial)
	t.Cleanup(func() { close(release) })
	testutil.Eventually(t, "all devices but one are delivered", func() bool {
		for device := 1; device < 10; device++ {
			if partial.keys(fmt.Sprint("d", device)) != strings.Join(numbers(0, 20), " ") {
				return false
			}
		}
		return true
	})
}

// While a sink is down, one delivery at a time probes it, however many devices there
// are.
func TestOutageAllowsOneProbe(t *testing.T) {
	var mu sync.Mutex
	down, tries, concurrent, maxConcurrent := true, 0, 0, 0
	o := newOutbox()
	s := &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error {
		mu.Lock()
		tries++
		late := tries > 20
		if concurrent++; late && down {
			maxConcurrent = max(maxConcurrent, concurrent)
		}
		mu.Unlock()
		time.Sleep(100 * time.Microsecond) // so that others would overlap
		mu.Lock()
		defer mu.Unlock()
		concurrent--
		if down {
			return errors.New("down")
		}
		return nil
	}}
	for device := range 30 {
		o.add("s", fmt.Sprint("d", device), "1", "2")
	}
	config := quick()
	config.MaxBackoff = time.Millisecond
	start(t, o, config, s)
	testutil.Eventually(t, "many tries", func() bool { mu.Lock(); defer mu.Unlock(); return tries > 60 })
	mu.Lock()
	if maxConcurrent > 1 {
		t.Errorf("%d concurrent tries", maxConcurrent)
	}
	down = false
	mu.Unlock()
	testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
}

// A receiver that fails while many deliveries run is probed as soon as after one
// failure: the wait grows with time, and not with the number of failures.
func TestBackoffDoesNotGrowWithConcurrentFailures(t *testing.T) {
	const devices = 40
	var mu sync.Mutex
	down, failed := true, 0
	o := newOutbox()
	s := &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		if !down {
			return nil
		}
		failed++
		return errors.New("down")
	}}
	for device := range devices {
		o.add("s", fmt.Sprint("d", device), "1", "2")
	}
	config := notify.Config{Workers: devices, MinBackoff: 50 * time.Millisecond, MaxBackoff: time.Hour, Rejections: 3}
	start(t, o, config, s)
	testutil.Eventually(t, "all have failed at once", func() bool { mu.Lock(); defer mu.Unlock(); return failed >= devices })
	mu.Lock()
	down = false
	mu.Unlock()
	// With a doubling for each failure, this would never end.
	testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
	if failed > devices+4 {
		t.Errorf("%d failures of %d devices", failed, devices)
	}
}

// A receiver that asks for a later retry gets no delivery of any device until then.
func TestLaterDelaysTheNextAttempt(t *testing.T) {
	const pause = 300 * time.Millisecond
	var mu sync.Mutex
	var first, second time.Time
	o := newOutbox()
	s := &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		if first.IsZero() {
			first = time.Now()
			return &notify.Later{After: pause, Err: errors.New("busy")}
		}
		if second.IsZero() {
			second = time.Now()
		}
		return nil
	}}
	config := quick()
	config.Workers = 1
	o.add("s", "a", "1")
	o.add("s", "b", "1")
	start(t, o, config, s)
	testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
	if waited := second.Sub(first); waited < pause {
		t.Errorf("retried after %v, want %v", waited, pause)
	}
}

// An event that keeps failing does not delay the events of other devices.
func TestOneFailingEventIsNoOutage(t *testing.T) {
	o := newOutbox()
	s := &sink{name: "s", do: func(_ context.Context, d *edgelens.Delivery) error {
		if d.Record.Device == "bad" {
			return errors.New("500")
		}
		return nil
	}}
	o.add("s", "bad", "1")
	config := quick()
	config.MaxBackoff = 2 * time.Millisecond
	start(t, o, config, s)
	for n := range 30 {
		device := fmt.Sprint("d", n)
		o.add("s", device, "1")
		testutil.Eventually(t, device+" is delivered", func() bool { return s.keys(device) == "1" })
	}
}

func TestRejectedEventIsSetAside(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(d *edgelens.Delivery) error
		// tries is the number of attempts with the two bad events together: each is
		// tried 3 times, because an accepted event comes between them.
		tries          int32
		keys           string
		aside, reduced float64
	}{
		"rejected": {func(*edgelens.Delivery) error { return fmt.Errorf("no: %w", notify.ErrRejected) }, 2 * 3, "1 2 3", 2, 0},
		"too large, reduced": {func(d *edgelens.Delivery) error {
			if d.Reduced {
				return nil
			}
			return fmt.Errorf("no: %w", edgelens.ErrTooLarge)
		}, 2 * 2, "1 bad 2 bad 3", 0, 2},
		"too large in any form": {func(*edgelens.Delivery) error { return edgelens.ErrTooLarge }, 2 * 3 * 2, "1 2 3", 2, 0},
		"too large, and nothing to leave out": {func(d *edgelens.Delivery) error {
			if d.Reduced {
				return notify.ErrRejected
			}
			return edgelens.ErrTooLarge
		}, 2 * 3 * 2, "1 2 3", 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int32
			o := newOutbox()
			s := &sink{name: "s", do: func(_ context.Context, d *edgelens.Delivery) error {
				if d.Record.Key != "bad" {
					return nil
				}
				tries.Add(1)
				return test.answer(d)
			}}
			o.add("s", "door", "1", "bad", "2", "bad", "3")
			metrics := start(t, o, quick(), s)
			testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
			if got := s.keys("door"); got != test.keys {
				t.Errorf("delivered %s, want %s", got, test.keys)
			}
			if tries.Load() != test.tries {
				t.Errorf("%d tries of the two bad events, want %d", tries.Load(), test.tries)
			}
			testutil.Eventually(t, "all counted", func() bool {
				return count(t, metrics, "rejected") == test.aside && count(t, metrics, "reduced") == test.reduced
			})
			if float64(len(o.aside)) != test.aside {
				t.Errorf("set aside: %q", o.aside)
			}
		})
	}
}

// A receiver that rejects everything blocks nothing: only the first event is
// retried.
func TestConsecutiveRejectionsAreNotRetried(t *testing.T) {
	var tries atomic.Int32
	o := newOutbox()
	s := &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error { tries.Add(1); return notify.ErrRejected }}
	o.add("s", "door", numbers(0, 20)...)
	start(t, o, quick(), s)
	testutil.Eventually(t, "all are set aside", func() bool { return o.left() == 0 })
	if n := tries.Load(); n != 3+19 {
		t.Errorf("%d tries, want 22", n)
	}
}

// A receiver that fails for a while raises one alarm, which ends with the failures;
// nothing is dropped.
func TestAlarm(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	o := newOutbox()
	s := &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error {
		if down.Load() {
			return errors.New("the receiver answers 401")
		}
		return nil
	}}
	for device := range 5 {
		o.add("s", fmt.Sprint("d", device), "1", "2")
	}
	log := &testutil.LogBuffer{}
	dispatcher, err := notify.New(o, quick(), edgelens.Untraced{}, slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	dispatcher.Start(s)
	t.Cleanup(dispatcher.Stop)
	testutil.Eventually(t, "an alarm", func() bool { return len(dispatcher.Alarms()) == 1 })
	if a := dispatcher.Alarms()[0]; a.Sink != "s" || !strings.Contains(a.Reason, "401") {
		t.Errorf("alarm %+v", a)
	}
	tried := func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.calls > 40 }
	testutil.Eventually(t, "many tries", tried)
	if text := log.String(); strings.Count(text, "level=") != 2 {
		t.Errorf("want a warning and an error in the log:\n%s", text)
	}
	down.Store(false)
	testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
	testutil.Eventually(t, "no alarm", func() bool { return len(dispatcher.Alarms()) == 0 })
	testutil.Eventually(t, "a log line", func() bool { return strings.Count(log.String(), "event=delivery_recovered") == 1 })
}

// Stop waits for a delivery in progress, and its confirmation is stored.
func TestStopWaitsForADelivery(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	o := newOutbox()
	s := &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error { close(begun); <-end; return nil }}
	o.add("s", "door", "1")
	dispatcher, err := notify.New(o, quick(), edgelens.Untraced{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	dispatcher.Start(s)
	<-begun
	stopped := make(chan struct{})
	go func() { dispatcher.Stop(); close(stopped) }()
	close(end)
	<-stopped
	if o.left() != 0 {
		t.Error("the delivery would be repeated")
	}
}

func TestConfig(t *testing.T) {
	if err := notify.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*notify.Config){
		"workers":     func(c *notify.Config) { c.Workers = 0 },
		"min_backoff": func(c *notify.Config) { c.MinBackoff = 2 * c.MaxBackoff },
		"rejections":  func(c *notify.Config) { c.Rejections = 0 },
	} {
		config := notify.DefaultConfig()
		change(&config)
		_, err := notify.New(newOutbox(), config, edgelens.Untraced{}, slog.Default(), prometheus.NewRegistry())
		if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
