package telemetry

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a registry with the process's and Go's own metrics and
// the build's version.
func NewRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "edgelens_build_info", Help: "Always 1; the labels identify the build.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version(), "arch": runtime.GOARCH},
	})
	info.Set(1)
	r.MustRegister(info)
	return r
}

// latencyBuckets range from a cache hit to an overloaded Pi, in seconds.
var latencyBuckets = []float64{.0002, .0005, .001, .002, .005, .01, .02, .035, .05, .075, .1, .15, .25, .5, 1, 2.5, 5, 10}

// QueueState is a queue and a state of the jobs in it.
type QueueState struct{ Queue, State string }

// queueDepth reads the queues when it is scraped.
type queueDepth struct {
	desc *prometheus.Desc
	read func() map[QueueState]int
}

// RegisterQueueDepth registers edgelens_queue_depth{queue,state}, read from the
// function at each scrape.
func RegisterQueueDepth(r prometheus.Registerer, read func() map[QueueState]int) {
	r.MustRegister(&queueDepth{
		desc: prometheus.NewDesc("edgelens_queue_depth", "Jobs that are not done yet, by queue and state.", []string{"queue", "state"}, nil),
		read: read,
	})
}

// Describe implements prometheus.Collector.
func (q *queueDepth) Describe(ch chan<- *prometheus.Desc) { ch <- q.desc }

// Collect implements prometheus.Collector.
func (q *queueDepth) Collect(ch chan<- prometheus.Metric) {
	for of, n := range q.read() {
		ch <- prometheus.MustNewConstMetric(q.desc, prometheus.GaugeValue, float64(n), of.Queue, of.State)
	}
}
