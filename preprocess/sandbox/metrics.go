package sandbox

import (
	"github.com/prometheus/client_golang/prometheus"

	"edgelens/preprocess"
)

// metrics are read from the Preprocessor whenever they are collected.
type metrics struct{ p *Preprocessor }

var (
	helpersDesc     = prometheus.NewDesc("edgelens_decode_helpers", "Processes that decode images, by state: idle, busy, starting. All 0: images are decoded in the service's process.", []string{"state"}, nil)
	startedDesc     = prometheus.NewDesc("edgelens_decode_helpers_started_total", "Decode helpers that were started.", nil, nil)
	failedDesc      = prometheus.NewDesc("edgelens_decode_helper_start_failures_total", "Decode helpers that did not come up, by reason: timeout (and killed), other.", []string{"reason"}, nil)
	protectionDesc  = prometheus.NewDesc("edgelens_decode_protection", "1 for what confines decode helpers besides their limits, by layer: seccomp (system calls), landlock (files); 0 for what this kernel lacks.", []string{"layer"}, nil)
	killsDesc       = prometheus.NewDesc("edgelens_decode_kills_total", "Decode helpers that an image ended, by reason: timeout, crash, memory.", []string{"reason"}, nil)
	quarantinedDesc = prometheus.NewDesc("edgelens_decode_quarantined_images", "Images that are rejected because they ended a decode helper within the last hour.", nil, nil)
	hitsDesc        = prometheus.NewDesc("edgelens_decode_quarantine_hits_total", "Requests rejected because their image is quarantined.", nil, nil)
	messagesDesc    = prometheus.NewDesc("edgelens_decoder_messages_total", "Warnings and errors of image decoders: of libjpeg-turbo and libpng, and what OpenCV and others write to standard error in decode helpers. They are written nowhere else.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m metrics) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{helpersDesc, startedDesc, failedDesc, protectionDesc, killsDesc, quarantinedDesc, hitsDesc, messagesDesc} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (m metrics) Collect(to chan<- prometheus.Metric) {
	var s states
	if m.p.helpers != nil {
		s = m.p.helpers.states()
	}
	failed := s.failed
	if m.p.inProcess.Load() { // helpers have failed, and do nothing
		s = states{}
	}
	for state, n := range map[string]int{"idle": s.idle, "busy": s.busy, "starting": s.starting} {
		to <- prometheus.MustNewConstMetric(helpersDesc, prometheus.GaugeValue, float64(n), state)
	}
	to <- prometheus.MustNewConstMetric(startedDesc, prometheus.CounterValue, float64(s.started))
	to <- prometheus.MustNewConstMetric(failedDesc, prometheus.CounterValue, float64(failed.timeout), "timeout")
	to <- prometheus.MustNewConstMetric(failedDesc, prometheus.CounterValue, float64(failed.other), "other")
	to <- prometheus.MustNewConstMetric(protectionDesc, prometheus.GaugeValue, oneIf(s.protection.Seccomp), "seccomp")
	to <- prometheus.MustNewConstMetric(protectionDesc, prometheus.GaugeValue, oneIf(s.protection.Landlock > 0), "landlock")
	for i, name := range deaths {
		to <- prometheus.MustNewConstMetric(killsDesc, prometheus.CounterValue, float64(m.p.kills[i].Load()), name)
	}
	images, hits := m.p.quarantine.counts()
	to <- prometheus.MustNewConstMetric(quarantinedDesc, prometheus.GaugeValue, float64(images))
	to <- prometheus.MustNewConstMetric(hitsDesc, prometheus.CounterValue, float64(hits))
	to <- prometheus.MustNewConstMetric(messagesDesc, prometheus.CounterValue, float64(preprocess.Messages()+s.messages))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
