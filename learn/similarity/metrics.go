package similarity

import "github.com/prometheus/client_golang/prometheus"

// metrics are those that the service counts itself.
type metrics struct {
	embedded, dropped *prometheus.CounterVec
	search            prometheus.Histogram
}

func newMetrics() metrics {
	m := metrics{
		embedded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_similarity_embedded_total", Help: "Images of results that got an embedding (ok), or can have none (no_image).",
		}, []string{"outcome"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_similarity_dropped_total", Help: "Images of results that got no embedding, by reason: queue_full (of those that are not kept), failed.",
		}, []string{"reason"}),
		search: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "edgelens_similarity_search_seconds", Help: "Time of the comparison of one image with all vectors.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1},
		}),
	}
	for _, outcome := range []string{"ok", "no_image"} {
		m.embedded.WithLabelValues(outcome)
	}
	for _, reason := range []string{"queue_full", "failed"} {
		m.dropped.WithLabelValues(reason)
	}
	return m
}

var (
	vectorsDesc = prometheus.NewDesc("edgelens_similarity_vectors", "Images of results that can be found as similar.", nil, nil)
	bytesDesc   = prometheus.NewDesc("edgelens_similarity_bytes", "Memory of their vectors.", nil, nil)
	waitingDesc = prometheus.NewDesc("edgelens_similarity_waiting", "Images that are not kept and wait for their embedding.", nil, nil)
)

// collector implements prometheus.Collector for all metrics of a service.
type collector struct{ s *Service }

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{vectorsDesc, bytesDesc, waitingDesc} {
		to <- desc
	}
	c.s.metrics.embedded.Describe(to)
	c.s.metrics.dropped.Describe(to)
	c.s.metrics.search.Describe(to)
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(vectorsDesc, prometheus.GaugeValue, float64(c.s.index.Len()))
	to <- prometheus.MustNewConstMetric(bytesDesc, prometheus.GaugeValue, float64(c.s.index.Bytes()))
	to <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(len(c.s.offers.queue)))
	c.s.metrics.embedded.Collect(to)
	c.s.metrics.dropped.Collect(to)
	c.s.metrics.search.Collect(to)
}
