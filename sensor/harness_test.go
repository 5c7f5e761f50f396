package sensor_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/sensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a Store in memory.
type store struct {
	mu     sync.Mutex
	points []edgelens.Point
	series map[string]sensor.SeriesInfo
	// fail, where set, is the result of each call, and calls counts them.
	fail  error
	calls int
}

func (s *store) SavePoints(_ context.Context, points []edgelens.Point, series []sensor.SeriesInfo) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail != nil {
		return s.fail
	}
	s.points = append(s.points, points...)
	for _, info := range series {
		if s.series == nil {
			s.series = map[string]sensor.SeriesInfo{}
		}
		s.series[info.ID] = info
	}
	return nil
}

func (s *store) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *store) saved() []edgelens.Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]edgelens.Point(nil), s.points...)
}

// publisher is a Publisher in memory.
type publisher struct {
	mu        sync.Mutex
	published []edgelens.Insight
	fail      error
}

func (p *publisher) PublishInsight(_ context.Context, insight edgelens.Insight) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	p.published = append(p.published, insight)
	return nil
}

func (p *publisher) all() []edgelens.Insight {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]edgelens.Insight(nil), p.published...)
}

// site is a Monitor with its parts, in a bubble of synctest: time passes only while all wait.
type site struct {
	*sensor.Monitor
	t         *testing.T
	store     *store
	publisher *publisher
	log       *testutil.LogBuffer
	metrics   *prometheus.Registry
	stop      func()
}

// run calls test in a bubble, with a running Monitor. change changes its configuration.
func run(t *testing.T, change func(*sensor.Config), test func(s *site), feeders ...sensor.Feeder) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config := sensor.DefaultConfig()
		if change != nil {
			change(&config)
		}
		s := &site{t: t, store: &store{}, publisher: &publisher{}, log: &testutil.LogBuffer{}, metrics: prometheus.NewRegistry()}
		monitor, err := sensor.New(config, sensor.Parts{
			Store: s.store, Publisher: s.publisher, Feeders: feeders, Metrics: s.metrics, Log: slog.New(slog.NewTextHandler(s.log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Monitor = monitor
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := monitor.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		s.stop = func() {
			cancel()
			running.Wait()
		}
		defer s.stop()
		test(s)
	})
}

const room = "sensors/room_101/temperature"

var roomID = edgelens.SeriesID("room_101", "temperature")

// send publishes a value on a topic.
func (s *site) send(topic string, value float64) {
	s.t.Helper()
	s.sendText(topic, fmt.Sprintf("%.12g", value))
}

func (s *site) sendText(topic, body string) {
	s.t.Helper()
	if err := s.Receive(topic, []byte(body), false); err != nil {
		s.t.Fatalf("%s on %s: %v", body, topic, err)
	}
}

// each sends values an interval apart.
func (s *site) each(interval time.Duration, topic string, values ...float64) {
	s.t.Helper()
	for _, v := range values {
		s.send(topic, v)
		time.Sleep(interval)
	}
}

// wait lets time pass, and then all goroutines finish what they do.
func (s *site) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// one returns the series of an id.
func (s *site) one(id string) edgelens.Series {
	s.t.Helper()
	series, err := s.OneSeries(id)
	if err != nil {
		s.t.Fatal(err)
	}
	return series
}

// summaries returns the published insights as "state rule: summary".
func (s *site) summaries() (all []string) {
	s.wait(0)
	for _, insight := range s.publisher.all() {
		all = append(all, fmt.Sprintf("%s %s: %s", insight.State, insight.Rule, insight.Summary))
	}
	return all
}

// repeat returns a value n times.
func repeat(n int, value float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = value
	}
	return values
}

// alternate returns n values, one above and one below a middle.
func alternate(n int, middle, apart float64) []float64 {
	values := repeat(n, middle)
	for i := range values {
		values[i] += apart * float64(1-2*(i%2))
	}
	return values
}

// noisy returns n values around a middle: normal, with two decimal places.
func noisy(n int, middle, deviation float64) []float64 {
	random := rand.New(rand.NewPCG(1, 1))
	values := make([]float64, n)
	for i := range values {
		values[i] = math.Round(100*(middle+deviation*random.NormFloat64())) / 100
	}
	return values
}

func number(v float64) *float64 { return &v }
