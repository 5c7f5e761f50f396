package ledger

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// scrapeTimeout bounds the queries of a scrape.
const scrapeTimeout = time.Second

var (
	queueDepth = prometheus.NewDesc("edgelens_queue_depth",
		"Jobs that are not done yet, by queue and state.", []string{"queue", "state"}, nil)
	queueOldest = prometheus.NewDesc("edgelens_queue_oldest_seconds",
		"For how long the oldest queued job has waited, by queue; 0 where none waits.", []string{"queue"}, nil)
	outboxOldest = prometheus.NewDesc("edgelens_outbox_oldest_seconds",
		"For how long the oldest event has waited for its delivery, by sink; 0 where none waits. Those that wait for an operator do not count.", []string{"sink"}, nil)
	removedForSpace = prometheus.NewDesc("edgelens_ledger_removed_for_space_total",
		"Rows and images that were removed since the start for space, before they reached their age.", []string{"kind"}, nil)
	withoutImage = prometheus.NewDesc("edgelens_records_without_image_total",
		"Records of terminals that were kept without their images since the start, because images could not be written.", nil, nil)
	storageProblem = prometheus.NewDesc("edgelens_storage_problem",
		"1 where the ledger or the images cannot be written, or space is short.", []string{"part"}, nil)
	outboxRows = prometheus.NewDesc("edgelens_outbox_rows",
		"Undelivered events of a sink.", []string{"sink"}, nil)
	outboxSize = prometheus.NewDesc("edgelens_outbox_bytes",
		"Size of the undelivered events, images included.", []string{"sink"}, nil)
	outboxShed = prometheus.NewDesc("edgelens_outbox_shed_total",
		"Undelivered events that were dropped since the start, for their age or for space.", []string{"sink"}, nil)
	sensorRows = prometheus.NewDesc("edgelens_sensor_stored_rows",
		"Stored rows of sensors, by table: series, points (single values) and minutes (summaries).", []string{"table"}, nil)
	sensorSize = prometheus.NewDesc("edgelens_sensor_stored_bytes",
		"Approximate size of the stored rows of sensors, which sensor.max_bytes limits.", nil, nil)
	sensorLeftOut = prometheus.NewDesc("edgelens_sensor_points_left_out_total",
		"Points that were not stored for their times since the start: too_old (before sensor.keep_points) or ahead (by more than a day).", []string{"cause"}, nil)
	exampleCount = prometheus.NewDesc("edgelens_examples",
		"Examples in the datasets, which learn.max_examples limits.", nil, nil)
	exampleSize = prometheus.NewDesc("edgelens_example_bytes",
		"Size of the images and embeddings of the examples, which learn.max_bytes limits.", nil, nil)
	examplesRefused = prometheus.NewDesc("edgelens_examples_refused_total",
		"Examples that were refused since the start for a limit: max_examples or max_bytes.", []string{"limit"}, nil)
	outboxAside = prometheus.NewDesc("edgelens_outbox_set_aside",
		"Events that the sink never accepts, kept until an operator retries them.", []string{"sink"}, nil)
)

// metrics reads a ledger at each scrape. Values of 0 are explicit, for alerts.
type metrics struct {
	ledger *Ledger
	sinks  []string
	log    *slog.Logger
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(c chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		queueDepth, queueOldest, outboxOldest, removedForSpace, withoutImage, storageProblem, outboxRows, outboxSize, outboxShed, outboxAside, sensorRows, sensorSize, sensorLeftOut,
		exampleCount, exampleSize, examplesRefused,
	} {
		c <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(c chan<- prometheus.Metric) {
	m.collectJobs(c)
	m.collectOutbox(c)
	m.collectStorage(c)
	m.collectSensors(c)
	m.collectExamples(c)
}

func (m *metrics) collectExamples(c chan<- prometheus.Metric) {
	for limit, n := range map[string]int64{"max_examples": m.ledger.Examples.overCount.Load(), "max_bytes": m.ledger.Examples.overBytes.Load()} {
		c <- prometheus.MustNewConstMetric(examplesRefused, prometheus.CounterValue, float64(n), limit)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	var count, bytes float64
	if err := m.ledger.db.readers.QueryRowContext(ctx, `SELECT examples, bytes + embeddings FROM example_totals`).Scan(&count, &bytes); err != nil {
		m.log.Warn("counting the examples failed", "error", err)
		return
	}
	c <- prometheus.MustNewConstMetric(exampleCount, prometheus.GaugeValue, count)
	c <- prometheus.MustNewConstMetric(exampleSize, prometheus.GaugeValue, bytes)
}

func (m *metrics) collectSensors(c chan<- prometheus.Metric) {
	for cause, n := range map[string]int64{"too_old": m.ledger.Sensors.tooOld.Load(), "ahead": m.ledger.Sensors.ahead.Load()} {
		c <- prometheus.MustNewConstMetric(sensorLeftOut, prometheus.CounterValue, float64(n), cause)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	var series, points, minutes, bytes float64
	err := m.ledger.db.readers.QueryRowContext(ctx, `SELECT series, points, minutes, `+sensorBytes+` FROM sensor_totals`).Scan(&series, &points, &minutes, &bytes)
	if err != nil {
		m.log.Warn("counting the points of sensors failed", "error", err)
		return
	}
	for table, n := range map[string]float64{"series": series, "points": points, "minutes": minutes} {
		c <- prometheus.MustNewConstMetric(sensorRows, prometheus.GaugeValue, n, table)
	}
	c <- prometheus.MustNewConstMetric(sensorSize, prometheus.GaugeValue, bytes)
}

func (m *metrics) collectJobs(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	stats, err := m.ledger.Stats(ctx)
	if err != nil {
		m.log.Warn("counting jobs failed", "error", err)
		return
	}
	depths := map[QueueStatus]int64{}
	for _, queue := range []string{edgelens.QueueInteractive, edgelens.QueueBulk} {
		for _, status := range []edgelens.JobStatus{edgelens.JobQueued, edgelens.JobRunning} {
			depths[QueueStatus{queue, status}] = 0
		}
	}
	for of, n := range stats.Jobs {
		if !of.Status.Terminal() {
			depths[of] = n
		}
	}
	for of, n := range depths {
		c <- prometheus.MustNewConstMetric(queueDepth, prometheus.GaugeValue, float64(n), of.Queue, string(of.Status))
	}
	ages, err := m.ledger.oldestQueued(ctx)
	if err != nil {
		m.log.Warn("looking for the oldest job failed", "error", err)
	}
	for queue, age := range ages {
		c <- prometheus.MustNewConstMetric(queueOldest, prometheus.GaugeValue, age.Seconds(), queue)
	}
}

func (m *metrics) collectOutbox(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	measured, err := m.ledger.Outbox.Stats(ctx)
	if err != nil {
		m.log.Warn("measuring the outbox failed", "error", err)
		return
	}
	for _, sink := range m.sinks {
		if _, ok := measured[sink]; !ok {
			measured[sink] = OutboxStats{}
		}
	}
	for sink, stats := range measured {
		c <- prometheus.MustNewConstMetric(outboxRows, prometheus.GaugeValue, float64(stats.Rows), sink)
		c <- prometheus.MustNewConstMetric(outboxSize, prometheus.GaugeValue, float64(stats.Bytes), sink)
		c <- prometheus.MustNewConstMetric(outboxAside, prometheus.GaugeValue, float64(stats.Aside), sink)
		c <- prometheus.MustNewConstMetric(outboxShed, prometheus.CounterValue, float64(stats.Shed), sink)
		age, err := time.Duration(0), error(nil)
		if stats.Rows > stats.Aside {
			age, err = m.ledger.oldestUndelivered(ctx, sink)
		}
		if err != nil {
			m.log.Warn("looking for the oldest undelivered event failed", "error", err)
			continue
		}
		c <- prometheus.MustNewConstMetric(outboxOldest, prometheus.GaugeValue, age.Seconds(), sink)
	}
}

func (m *metrics) collectStorage(c chan<- prometheus.Metric) {
	for kind, n := range m.ledger.space.removedByKind() {
		c <- prometheus.MustNewConstMetric(removedForSpace, prometheus.CounterValue, float64(n), kind)
	}
	c <- prometheus.MustNewConstMetric(withoutImage, prometheus.CounterValue, float64(m.ledger.Records.WithoutImage()))
	problems := map[string]float64{PartLedger: 0, PartImages: 0, PartSpace: 0}
	for _, p := range m.ledger.Problems() {
		problems[p.Part] = 1
	}
	for part, n := range problems {
		c <- prometheus.MustNewConstMetric(storageProblem, prometheus.GaugeValue, n, part)
	}
}
