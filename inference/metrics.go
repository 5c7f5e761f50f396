package inference

import "github.com/prometheus/client_golang/prometheus"

var (
	interpretersDesc = prometheus.NewDesc("edgelens_interpreters", "Interpreters by state: idle, busy, stuck.", []string{"model", "state"}, nil)
	checkDesc        = prometheus.NewDesc("edgelens_model_check", "1 for the result of comparing the kernels that run the model: passed, reference, unknown, off.", []string{"model", "result"}, nil)
	rejectedDesc     = prometheus.NewDesc("edgelens_model_rejected_kernels", "Kinds of kernels that are not used for the model because they compute wrongly on this machine.", []string{"model"}, nil)
	loadSecondsDesc  = prometheus.NewDesc("edgelens_model_load_seconds", "Time to open, build and warm up the model.", []string{"model"}, nil)
)

// metrics are read from the loader whenever they are collected.
type metrics struct{ loader *Loader }

// Describe implements prometheus.Collector.
func (m metrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- interpretersDesc
	descs <- loadSecondsDesc
	descs <- checkDesc
	descs <- rejectedDesc
}

// Collect implements prometheus.Collector.
func (m metrics) Collect(to chan<- prometheus.Metric) {
	for name, e := range m.loader.ready() {
		stats := e.pool.Stats()
		for state, n := range map[string]int{"idle": stats.Idle, "busy": stats.Busy, "stuck": stats.Stuck} {
			to <- prometheus.MustNewConstMetric(interpretersDesc, prometheus.GaugeValue, float64(n), name, state)
		}
		to <- prometheus.MustNewConstMetric(loadSecondsDesc, prometheus.GaugeValue, e.took.Seconds(), name)
		to <- prometheus.MustNewConstMetric(checkDesc, prometheus.GaugeValue, 1, name, string(e.check.Result))
		to <- prometheus.MustNewConstMetric(rejectedDesc, prometheus.GaugeValue, float64(len(e.check.Rejected)), name)
	}
}
