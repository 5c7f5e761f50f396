package sensor

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/sensor/payload"
)

// metrics counts what the Monitor does. Devices and fields are no labels: their number is
// unbounded. It is safe for use by many goroutines.
type metrics struct {
	readings                          map[edgelens.Freshness]prometheus.Counter
	refused                           *prometheus.CounterVec
	droppedLimit, gaveWay             prometheus.Counter
	anomalies                         prometheus.Counter
	insights                          *prometheus.CounterVec
	suppressed, insightsLostCounter   prometheus.Counter
	storeLostCounter, subscriberLost  prometheus.Counter
	analysis                          prometheus.Histogram
	taken, lostStore, lostSubscribers atomic.Int64
	lostInsights                      atomic.Int64
}

func newMetrics(registerer prometheus.Registerer, m *Monitor) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		registerer.MustRegister(c)
		return c
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		registerer.MustRegister(c)
		return c
	}
	readings := vector("edgelens_sensor_readings_total", "Readings of sensors and of edgelens' own streams, by freshness (fresh, replayed, unknown).", "freshness")
	dropped := vector("edgelens_sensor_series_dropped_total", "Readings dropped at sensor.max_series (limit), and silent series that gave way to new ones (gave_way).", "cause")
	lost := vector("edgelens_sensor_points_lost_total", "Points that were lost because the store or a subscriber was too slow.", "receiver")
	created := &metrics{
		readings:            map[edgelens.Freshness]prometheus.Counter{},
		refused:             vector("edgelens_sensor_messages_refused_total", "Messages that hold no reading, by reason.", "reason"),
		droppedLimit:        dropped.WithLabelValues("limit"),
		gaveWay:             dropped.WithLabelValues("gave_way"),
		anomalies:           counter("edgelens_sensor_anomalies_total", "Points that a rule for anomalies marks."),
		insights:            vector("edgelens_insights_total", "Insights by kind and state (raised, cleared).", "kind", "state"),
		suppressed:          counter("edgelens_insights_suppressed_total", "Anomalies without an insight, because of a cooldown or the limit per minute."),
		storeLostCounter:    lost.WithLabelValues("store"),
		subscriberLost:      lost.WithLabelValues("subscriber"),
		analysis:            prometheus.NewHistogram(prometheus.HistogramOpts{Name: "edgelens_sensor_analysis_seconds", Help: "Time to compute trend, season and prediction of one series.", Buckets: prometheus.ExponentialBuckets(1e-5, 4, 8)}),
		insightsLostCounter: counter("edgelens_insights_lost_total", "Insights that were not published, because the publisher was too slow or failed."),
	}
	for _, freshness := range []edgelens.Freshness{edgelens.FreshnessFresh, edgelens.FreshnessReplayed, edgelens.FreshnessUnknown} {
		created.readings[freshness] = readings.WithLabelValues(string(freshness))
	}
	for _, reason := range payload.Reasons() {
		created.refused.WithLabelValues(string(reason))
	}
	for _, kind := range edgelens.InsightKinds() {
		created.insights.WithLabelValues(string(kind), string(edgelens.InsightRaised))
	}
	series := func(origin string, count func(Status) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "edgelens_sensor_series", Help: "Series that are followed, by origin: of sensors (mqtt) and of edgelens itself (own).", ConstLabels: prometheus.Labels{"origin": origin},
		}, func() float64 { return float64(count(m.Status())) })
	}
	registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "edgelens_sensors_silent", Help: "Series of sensors that have sent no value for sensor.silent_intervals of their intervals."},
		func() float64 { return float64(m.silent()) }))
	registerer.MustRegister(created.analysis, series("mqtt", func(s Status) int { return s.Series }), series("own", func(s Status) int { return s.OwnSeries }))
	return created
}

func (m *metrics) lostBySubscriber() {
	m.lostSubscribers.Add(1)
	m.subscriberLost.Inc()
}

func (m *metrics) lostByStore(n int) {
	m.lostStore.Add(int64(n))
	m.storeLostCounter.Add(float64(n))
}

func (m *metrics) lostInsight() {
	m.lostInsights.Add(1)
	m.insightsLostCounter.Inc()
}

// took counts a reading.
func (m *metrics) took(point edgelens.Point, freshness edgelens.Freshness) {
	m.readings[freshness].Inc()
	m.taken.Add(1)
	if point.Anomaly != nil {
		m.anomalies.Inc()
	}
}
