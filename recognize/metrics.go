package recognize

import "github.com/prometheus/client_golang/prometheus"

// metrics are read from the admission whenever they are collected.
type metrics struct{ admission *admission }

var (
	waitingDesc = prometheus.NewDesc("edgelens_recognitions_waiting",
		"Recognitions that wait for a slot, by priority, highest first: device, synchronous, interactive, bulk.", []string{"priority"}, nil)
	memoryDesc  = prometheus.NewDesc("edgelens_decode_memory_bytes", "Memory that images take which are being decoded, worked out from their headers.", nil, nil)
	budgetDesc  = prometheus.NewDesc("edgelens_decode_memory_limit_bytes", "Memory that images may take together while they are decoded: decode.memory, or what is free where the memory of the control group is less.", nil, nil)
	refusedDesc = prometheus.NewDesc("edgelens_recognitions_refused_total",
		"Recognitions that were refused before they began, by reason: late (the answer is predicted to come too late), full (too many wait), crowded (too many arrive for too long), expired (the wait was longer than predicted), stopping.", []string{"reason"}, nil)
	runningDesc = prometheus.NewDesc("edgelens_recognitions_running", "Recognitions that hold a slot.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m metrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- waitingDesc
	descs <- runningDesc
	descs <- memoryDesc
	descs <- budgetDesc
	descs <- refusedDesc
}

// Collect implements prometheus.Collector.
func (m metrics) Collect(to chan<- prometheus.Metric) {
	waiting, running, refused := m.admission.counts()
	for _, class := range classes {
		to <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(waiting[class]), class.String())
	}
	to <- prometheus.MustNewConstMetric(runningDesc, prometheus.GaugeValue, float64(running))
	inUse, limit, limited := m.admission.memoryUse()
	to <- prometheus.MustNewConstMetric(memoryDesc, prometheus.GaugeValue, float64(inUse))
	if limited {
		to <- prometheus.MustNewConstMetric(budgetDesc, prometheus.GaugeValue, float64(limit))
	}
	for reason, n := range refused {
		to <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(n), reason)
	}
}
