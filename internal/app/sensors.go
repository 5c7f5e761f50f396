package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/board"
	"edgelens/internal/config"
	"edgelens/internal/ledger"
	"edgelens/internal/notify/webhook"
	"edgelens/sensor"
	"edgelens/sensor/uplink"
	"edgelens/terminal"
	"edgelens/terminal/dialects"
)

// sensors follows the sensors and edgelens' own streams. It implements api.Sensors.
type sensors struct {
	monitor *sensor.Monitor
	ledger  *ledger.Ledger
	config  sensor.Config
	// connection is that to the broker, and log that of its connection; url is empty without a broker.
	connection uplink.Config
	log        *slog.Logger
	run        string

	uplink atomic.Pointer[uplink.Uplink] // nil before start
	end    context.CancelFunc
	ended  sync.WaitGroup
}

// newSensors connects the monitor to its parts. It does not subscribe yet.
func newSensors(c *config.Config, core *Core, jobs *jobs, terminals *terminals, log *slog.Logger, metrics *prometheus.Registry) (*sensors, error) {
	s := &sensors{
		ledger: jobs.ledger, config: c.Sensor, log: log, run: strconv.FormatInt(time.Now().UnixMilli(), 36),
		connection: uplink.Config{URL: terminals.broker.url, CAFile: c.Terminal.CAFile, Certificate: shownTo(c), Node: jobs.node, MaxMessageBytes: c.Terminal.MaxMessageBytes},
	}
	parts := sensor.Parts{Store: pointStore{jobs.ledger.Sensors}, Log: log, Metrics: metrics, Zone: dialects.Zones(c.Dialects)}
	var sinks []string
	var devices func(context.Context) ([]edgelens.Device, error)
	if terminals.bridge != nil {
		sinks, devices = append(sinks, terminal.EventsSink), terminals.bridge.Devices
		parts.Envelopes, parts.MustSeal = terminals.opener, terminals.bridge.SealedOnly
	}
	if child := terminals.broker.child; child != nil {
		s.connection.Secret = child.ClientSecret()
	}
	if c.Webhook.WantsInsights() {
		sinks = append(sinks, webhook.Sink)
	}
	parts.Publisher = insightPublisher{jobs.ledger.Insights, sinks}
	parts.Feeders = []sensor.Feeder{
		nodeFeeder{latency: core.recognizer.Latency, celsius: board.Prober{Root: "/"}.Celsius},
		deviceFeeder{devices: devices, results: jobs.ledger.Results, log: log},
		&alarmFeeder{gather: metrics, log: log},
	}
	var err error
	s.monitor, err = sensor.New(c.Sensor, parts)
	return s, err
}

// start starts the monitor and the connection.
func (s *sensors) start() error {
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	s.ended.Go(func() {
		if err := s.monitor.Run(ctx); err != nil {
			s.log.Error("following sensors ended", "event", "sensors_ended", "error", err)
		}
	})
	s.ended.Go(func() { s.restore(ctx) })
	if s.connection.URL == "" || len(s.monitor.Topics()) == 0 {
		return nil
	}
	started, err := uplink.Start(s.connection, s.monitor, s.log)
	if err != nil {
		return err
	}
	s.uplink.Store(started)
	return nil
}

// restoreTimeout limits reading what an earlier run knew.
const restoreTimeout = 30 * time.Second

// restore continues from an earlier run. It takes a while where there are many sensors, and nothing waits for it.
func (s *sensors) restore(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, restoreTimeout)
	defer cancel()
	var past sensor.Past
	var err error
	if past.Series, err = s.ledger.Sensors.Past(limited, time.Now().Add(-s.config.WindowAge), s.config.MaxSeries, s.config.Window); err == nil {
		past.Raised, err = s.ledger.Insights.Raised(limited)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("the windows of sensors begin empty: what was stored of them was not read", "event", "sensors_not_restored", "error", err)
	}
	s.monitor.Restore(past)
}

// stop receives no more, and stores what was received.
func (s *sensors) stop(ctx context.Context) error {
	var err error
	if connection := s.uplink.Load(); connection != nil {
		err = connection.Stop(ctx)
	}
	if s.end != nil {
		s.end()
		s.ended.Wait()
	}
	return err
}

// conditions returns what is wrong.
func (s *sensors) conditions() (all []edgelens.Condition) {
	if problem := s.monitor.Status().Problem; problem != "" {
		all = append(all, degraded("sensors", problem))
	}
	if connection := s.uplink.Load(); connection != nil {
		if down := connection.Down(); down > brokerGrace {
			all = append(all, degraded("sensor_topics", fmt.Sprintf(
				"no values of sensors arrive: the connection of sensor.topics to the MQTT broker has been down, or its subscription refused, for %v; the log has the reason. Without sensors, set sensor.topics to nothing", down.Round(time.Second))))
		}
	}
	return all
}

// Series implements api.Sensors: the series of this run, and the stored ones of earlier runs.
func (s *sensors) Series(ctx context.Context) ([]edgelens.Series, int64, error) {
	all, err := s.monitor.Series("")
	if err != nil {
		return nil, 0, err
	}
	stored, err := s.ledger.Sensors.Series(ctx, 2*s.config.MaxSeries)
	if err != nil {
		return nil, 0, err
	}
	known := map[string]bool{}
	for i := range all {
		known[all[i].ID] = true
	}
	for _, one := range stored {
		if !known[one.ID] {
			all = append(all, edgelens.Series{ID: one.ID, Device: one.Device, Field: one.Field, Unit: one.Unit, Location: one.Location, LastAt: one.LastAt, Last: one.Last})
		}
	}
	slices.SortFunc(all, func(a, b edgelens.Series) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Field, b.Field))
	})
	return all, s.monitor.Status().Dropped, nil
}

// DeviceOf implements api.Sensors.
func (s *sensors) DeviceOf(ctx context.Context, id string) (string, error) {
	series, err := s.monitor.OneSeries(id)
	if err == nil {
		return series.Device, nil
	}
	if !errors.Is(err, edgelens.ErrNotFound) {
		return "", err
	}
	stored, err := s.ledger.Sensors.OneSeries(ctx, id)
	return stored.Device, err
}

// Points implements api.Sensors.
func (s *sensors) Points(ctx context.Context, q edgelens.PointQuery) (edgelens.PointHistory, error) {
	history, err := s.ledger.Sensors.Points(ctx, q)
	if errors.Is(err, edgelens.ErrNotFound) {
		if _, known := s.monitor.OneSeries(q.Series); known == nil {
			return edgelens.PointHistory{Step: q.Step}, nil // nothing of it is stored yet
		}
	}
	return history, err
}

// Recent implements api.Sensors.
func (s *sensors) Recent(id string, after int64) []edgelens.Point {
	points, err := s.monitor.Points(id, after)
	if err != nil {
		return nil // nothing came in this run
	}
	return points
}

// Follow implements api.Sensors.
func (s *sensors) Follow(ids []string, buffer int) (api.PointStream, error) {
	return s.monitor.Follow(ids, buffer)
}

// Run implements api.Sensors.
func (s *sensors) Run() string { return s.run }

// Insights implements api.Sensors.
func (s *sensors) Insights(ctx context.Context, filter edgelens.InsightFilter) ([]edgelens.Insight, string, error) {
	return s.ledger.Insights.Insights(ctx, filter)
}

// CountSeries implements api.Sensors.
func (s *sensors) CountSeries(ctx context.Context, filter edgelens.SeriesErasure) (edgelens.ErasedSeries, error) {
	return s.ledger.Erasure.CountSeries(ctx, filter)
}

// EraseSeries implements api.Sensors.
func (s *sensors) EraseSeries(ctx context.Context, filter edgelens.SeriesErasure) (edgelens.ErasedSeries, error) {
	begun := time.Now()
	s.monitor.Forget(filter)
	return s.ledger.Erasure.EraseSeries(ctx, filter, begun)
}

// pointStore is the ledger as a sensor.Store.
type pointStore struct{ sensors *ledger.Sensors }

// SavePoints implements sensor.Store.
func (p pointStore) SavePoints(ctx context.Context, points []edgelens.Point, series []sensor.SeriesInfo) error {
	described := make([]edgelens.StoredSeries, 0, len(series))
	for _, one := range series {
		described = append(described, edgelens.StoredSeries{ID: one.ID, Device: one.Device, Field: one.Field, Unit: one.Unit, Location: one.Location})
	}
	return p.sensors.SavePoints(ctx, points, described)
}

// insightPublisher keeps insights in the history, and puts them in the outbox of the sinks.
type insightPublisher struct {
	insights *ledger.Insights
	sinks    []string
}

// PublishInsight implements sensor.Publisher.
func (p insightPublisher) PublishInsight(ctx context.Context, i edgelens.Insight) error {
	return p.insights.Record(ctx, i, p.sinks)
}
