package telemetry

import "github.com/prometheus/client_golang/prometheus"

// OutboxStats is how much waits to be told to a sink, and how much left the
// outbox untold since the start; Aside of the rows were set aside.
type OutboxStats struct{ Rows, Bytes, Shed, Aside int64 }

type outbox struct {
	rows, bytes, shed, aside *prometheus.Desc
	read                     func() map[string]OutboxStats
}

// RegisterOutbox registers edgelens_outbox_rows, edgelens_outbox_bytes,
// edgelens_outbox_set_aside and edgelens_outbox_shed_total by sink, read at each scrape. read returns nil where
// it could not measure.
func RegisterOutbox(r prometheus.Registerer, read func() map[string]OutboxStats) {
	labels := []string{"sink"}
	r.MustRegister(&outbox{
		rows:  prometheus.NewDesc("edgelens_outbox_rows", "Events that wait to be told to a sink.", labels, nil),
		bytes: prometheus.NewDesc("edgelens_outbox_bytes", "What they take, images included.", labels, nil),
		shed:  prometheus.NewDesc("edgelens_outbox_shed_total", "Events that were dropped untold since the start, for their age or for space.", labels, nil),
		aside: prometheus.NewDesc("edgelens_outbox_set_aside", "Events that a sink never takes, kept until they are sent again by hand.", labels, nil),
		read:  read,
	})
}

// Describe implements prometheus.Collector.
func (o *outbox) Describe(c chan<- *prometheus.Desc) {
	c <- o.rows
	c <- o.bytes
	c <- o.shed
	c <- o.aside
}

// Collect implements prometheus.Collector.
func (o *outbox) Collect(c chan<- prometheus.Metric) {
	for sink, stats := range o.read() {
		c <- prometheus.MustNewConstMetric(o.rows, prometheus.GaugeValue, float64(stats.Rows), sink)
		c <- prometheus.MustNewConstMetric(o.bytes, prometheus.GaugeValue, float64(stats.Bytes), sink)
		c <- prometheus.MustNewConstMetric(o.aside, prometheus.GaugeValue, float64(stats.Aside), sink)
		c <- prometheus.MustNewConstMetric(o.shed, prometheus.CounterValue, float64(stats.Shed), sink)
	}
}
