package telemetry

import "github.com/prometheus/client_golang/prometheus"

// OutboxStats is the number and size of undelivered events of a sink, and how many were dropped since the start; Aside
// of the rows are set aside.
type OutboxStats struct{ Rows, Bytes, Shed, Aside int64 }

type outbox struct {
	rows, bytes, shed, aside *prometheus.Desc
	read                     func() map[string]OutboxStats
}

// RegisterOutbox registers edgelens_outbox_rows, edgelens_outbox_bytes, edgelens_outbox_set_aside and
// edgelens_outbox_shed_total by sink, read at each scrape. read returns nil where the measurement failed.
func RegisterOutbox(r prometheus.Registerer, read func() map[string]OutboxStats) {
	labels := []string{"sink"}
	r.MustRegister(&outbox{
		rows:  prometheus.NewDesc("edgelens_outbox_rows", "Undelivered events of a sink.", labels, nil),
		bytes: prometheus.NewDesc("edgelens_outbox_bytes", "Size of the undelivered events, images included.", labels, nil),
		shed:  prometheus.NewDesc("edgelens_outbox_shed_total", "Undelivered events that were dropped since the start, for their age or for space.", labels, nil),
		aside: prometheus.NewDesc("edgelens_outbox_set_aside", "Events that the sink never accepts, kept until an operator retries them.", labels, nil),
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
