package inference

import (
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

var (
	interpretersDesc    = prometheus.NewDesc("edgelens_interpreters", "Interpreters by state: idle, busy, stuck.", []string{"model", "state"}, nil)
	checkDesc           = prometheus.NewDesc("edgelens_model_check", "1 for the result of comparing the kernels that run the model: passed, reference, unknown, off.", []string{"model", "result"}, nil)
	rejectedDesc        = prometheus.NewDesc("edgelens_model_rejected_kernels", "Kinds of kernels that are not used for the model because they compute wrongly on this machine.", []string{"model"}, nil)
	acceleratorDesc     = prometheus.NewDesc("edgelens_accelerator_ready", "1 if the accelerator runs the model beside the processor, 0 if it does not.", []string{"model", "accelerator"}, nil)
	acceleratorRunsDesc = prometheus.NewDesc("edgelens_accelerator_runs_total", "Runs of the model on the accelerator.", []string{"model", "accelerator"}, nil)
	acceleratorOffDesc  = prometheus.NewDesc("edgelens_accelerator_failures_total", "Failures that ended the use of the accelerator, by reason: not_installed, no_device, unsupported, wrong_results, run_failed.", []string{"model", "accelerator", "reason"}, nil)
	loadSecondsDesc     = prometheus.NewDesc("edgelens_model_load_seconds", "Time to open, build and warm up the model.", []string{"model"}, nil)
)

// metrics are read from the loader whenever they are collected.
type metrics struct{ loader *Loader }

// Describe implements prometheus.Collector.
func (m metrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- interpretersDesc
	descs <- loadSecondsDesc
	descs <- checkDesc
	descs <- rejectedDesc
	descs <- acceleratorDesc
	descs <- acceleratorRunsDesc
	descs <- acceleratorOffDesc
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
		for _, a := range e.accelerated {
			collectAccelerator(to, name, a.describe())
		}
	}
}

func collectAccelerator(to chan<- prometheus.Metric, model string, a edgelens.ModelAccelerator) {
	ready := 0.0
	if a.State == edgelens.AcceleratorReady {
		ready = 1
	}
	to <- prometheus.MustNewConstMetric(acceleratorDesc, prometheus.GaugeValue, ready, model, a.Name)
	to <- prometheus.MustNewConstMetric(acceleratorRunsDesc, prometheus.CounterValue, float64(a.Runs), model, a.Name)
	if a.Reason != "" {
		to <- prometheus.MustNewConstMetric(acceleratorOffDesc, prometheus.CounterValue, 1, model, a.Name, a.Reason)
	}
}
