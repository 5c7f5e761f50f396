package telemetry

import (
	"runtime"
	"time"

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

// Models observes the loading of models.
type Models struct{ load *prometheus.GaugeVec }

// NewModels registers edgelens_model_load_seconds.
func NewModels(r prometheus.Registerer) *Models {
	m := &Models{load: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "edgelens_model_load_seconds", Help: "Time to open, build and warm up the model.",
	}, []string{"model"})}
	r.MustRegister(m.load)
	return m
}

// Loaded records the load time of a model.
func (m *Models) Loaded(model string, took time.Duration) {
	m.load.WithLabelValues(model).Set(took.Seconds())
}

// InterpreterCounts is the number of interpreters of one model by state.
type InterpreterCounts map[string]int

// interpreters reads the pools when it is scraped.
type interpreters struct {
	desc *prometheus.Desc
	read func() map[string]InterpreterCounts
}

// RegisterInterpreters registers edgelens_interpreters{model,state}, read from
// the function at each scrape.
func RegisterInterpreters(r prometheus.Registerer, read func() map[string]InterpreterCounts) {
	r.MustRegister(&interpreters{
		desc: prometheus.NewDesc("edgelens_interpreters", "Interpreters by state: idle, busy, stuck.", []string{"model", "state"}, nil),
		read: read,
	})
}

// Describe implements prometheus.Collector.
func (i *interpreters) Describe(ch chan<- *prometheus.Desc) { ch <- i.desc }

// Collect implements prometheus.Collector.
func (i *interpreters) Collect(ch chan<- prometheus.Metric) {
	for model, states := range i.read() {
		for state, n := range states {
			ch <- prometheus.MustNewConstMetric(i.desc, prometheus.GaugeValue, float64(n), model, state)
		}
	}
}
