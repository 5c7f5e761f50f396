//go:build cgo

package terminal_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
	"edgelens/internal/testutil"
	"edgelens/terminal"
	"edgelens/terminal/dialects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a bridge with everything it needs, and a worker that recognizes "cat" in every
// image.
type site struct {
	metrics  *prometheus.Registry
	t        testing.TB
	broker   *broker
	dir      string
	config   terminal.Config
	dialects dialects.Config
	node     string
	// secret and emptied are ClientSecret and FormerSessionEmptied of its parts.
	secret  string
	emptied func() error
	// envelopes returns the Envelopes of its parts; nil for none.
	envelopes func(*ledger.Ledger) terminal.Envelopes

	ledger     *ledger.Ledger
	bridge     *terminal.Bridge
	dispatcher *notify.Dispatcher
	log        *testutil.LogBuffer
	worker     *worker
}

// worker adapts the ledger to the port, and finishes jobs at once.
type worker struct {
	ledger *ledger.Ledger
	mu     sync.Mutex
	// refuse, where set, is the result of Receive, and fail the error of every job; hold keeps
	// jobs unfinished.
	refuse func(edgelens.Reception) error
	fail   error
	hold   bool
	calls  int
}

func (w *worker) Receive(ctx context.Context, r edgelens.Reception) (bool, error) {
	w.mu.Lock()
	w.calls++
	refuse, fail, hold := w.refuse, w.fail, w.hold
	w.mu.Unlock()
	if refuse != nil {
		if err := refuse(r); err != nil {
			return false, err
		}
	}
	job, existing, err := w.ledger.Records.Receive(ctx, r)
	if err == nil && job.ID != "" && !hold {
		if _, _, err := w.ledger.Jobs.Start(ctx, job.ID); err != nil {
			return false, err
		}
		if err := w.finish(ctx, job, fail); err != nil {
			return false, err
		}
	}
	return existing, err
}

// finish ends a job with the error, or recognizes it as the settings of its device say.
func (w *worker) finish(ctx context.Context, job edgelens.Job, fail error) error {
	if fail != nil {
		return w.ledger.Jobs.Fail(ctx, job.ID, edgelens.JobError{Code: edgelens.Code(fail), Detail: fail.Error()})
	}
	return w.ledger.Jobs.Finish(ctx, job.ID, &edgelens.Result{
		RequestID: job.ID, Model: edgelens.ModelRef{Name: "m", Digest: "sha256:0"}, Predictions: []edgelens.Prediction{{ClassID: 1, Label: "cat", Probability: 0.9}},
		View: edgelens.ShownView{View: job.View.Or(edgelens.View{Fit: edgelens.DefaultFit}), Count: 1},
	})
}

func (w *worker) set(change func(*worker)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

func newSite(t testing.TB, b *broker, change ...func(*site)) *site {
	t.Helper()
	s := &site{t: t, broker: b, dir: t.TempDir(), config: terminal.DefaultConfig(), dialects: dialects.DefaultConfig(), node: "n1", log: &testutil.LogBuffer{}}
	s.dialects.Zone = "UTC"
	s.config.URL = b.OpenURL()
	for _, c := range change {
		c(s)
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *site) start() {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, nil))
	metrics := prometheus.NewRegistry()
	s.metrics = metrics
	var err error
	s.ledger, err = ledger.Open(context.Background(), filepath.Join(s.dir, "ledger"), ledger.DefaultConfig(), ledger.Parts{Log: log, Registerer: metrics})
	must(s.t, err)
	s.worker = &worker{ledger: s.ledger}
	var envelopes terminal.Envelopes
	if s.envelopes != nil {
		envelopes = s.envelopes(s.ledger)
	}
	s.bridge, err = terminal.New(context.Background(), s.config, terminal.Parts{
		Dialects: dialects.New(s.dialects), Records: s.worker, Devices: s.ledger.Devices, Commands: s.ledger.Commands, Envelopes: envelopes,
		Routes: func(*edgelens.Record) []edgelens.Route { return []edgelens.Route{{Sink: terminal.EventsSink}} },
		Zone:   dialects.Zones(s.dialects), Composer: event.Composer{Fresh: s.config.Fresh}, BrokerReportsDrops: true, Node: s.node, ClientSecret: s.secret, FormerSessionEmptied: s.emptied, Log: log, Registerer: metrics,
	})
	must(s.t, err)
	deliveries := notify.DefaultConfig()
	deliveries.MinBackoff, deliveries.MaxBackoff = 10*time.Millisecond, 100*time.Millisecond
	s.dispatcher, err = notify.New(s.ledger.Outbox, deliveries, edgelens.Untraced{}, log, metrics)
	must(s.t, err)
	must(s.t, s.bridge.Start())
	s.dispatcher.Start(s.bridge.Events())
}

func (s *site) connected() *site {
	s.t.Helper()
	testutil.Eventually(s.t, "the bridge is connected", s.bridge.Connected)
	return s
}

func (s *site) stop() {
	if s.bridge == nil {
		return
	}
	s.dispatcher.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = s.bridge.Stop(ctx)
	_ = s.ledger.Close()
	s.bridge = nil
}

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// scrape returns the lines of the metrics with that prefix.
func (s *site) scrape(prefix string) string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var found strings.Builder
	for line := range strings.SplitSeq(w.Body.String(), "\n") {
		if strings.HasPrefix(line, prefix) {
			found.WriteString(line + "\n")
		}
	}
	return found.String()
}

// setState changes the state of a device.
func (s *site) setState(id string, state edgelens.DeviceState) (edgelens.Device, error) {
	return s.bridge.ChangeDevice(s.t.Context(), id, edgelens.DeviceChange{State: &state})
}

// device returns the device as the bridge reports it.
func (s *site) device(id string) edgelens.Device {
	s.t.Helper()
	d, err := s.bridge.Device(s.t.Context(), id)
	must(s.t, err)
	return d
}

func lines(text, containing string) int {
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, containing) {
			n++
		}
	}
	return n
}
