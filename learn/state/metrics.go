package state

import (
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// The causes for which an image of a state is not recognized.
const (
	skipSuperseded = "superseded" // a later one arrived before its turn
	skipTooSoon    = "too_soon"   // within every of the one before
	skipOld        = "old"        // not newer than the last one
	skipNotFresh   = "not_fresh"  // replayed, or of an unproved time
	skipFailed     = "failed"     // an error
)

// metrics counts what the Monitor does. It is safe for use by many goroutines.
type metrics struct {
	answers, skipped *prometheus.CounterVec
	monitor          *Monitor
	states           *prometheus.Desc
}

func newMetrics(registerer prometheus.Registerer, monitor *Monitor) *metrics {
	m := &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_state_answers_total", Help: "Answers about images of states, by what became of them (changed, pending, confirmed, uncertain, old).",
		}, []string{"outcome"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_state_images_skipped_total", Help: "Images of states that gave no answer, by cause (superseded, too_soon, old, not_fresh, failed).",
		}, []string{"cause"}),
		monitor: monitor,
		states:  prometheus.NewDesc("edgelens_states", "States by whether they are known, unknown, or stale.", []string{"status"}, nil),
	}
	for _, outcome := range edgelens.StateOutcomes() {
		m.answers.WithLabelValues(string(outcome))
	}
	for _, cause := range []string{skipSuperseded, skipTooSoon, skipOld, skipNotFresh, skipFailed} {
		m.skipped.WithLabelValues(cause)
	}
	registerer.MustRegister(m.answers, m.skipped, m)
	return m
}

func (m *metrics) answer(outcome edgelens.StateOutcome) {
	m.answers.WithLabelValues(string(outcome)).Inc()
}
func (m *metrics) skip(cause string) { m.skipped.WithLabelValues(cause).Inc() }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) { to <- m.states }

// Collect implements prometheus.Collector.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	counts := map[string]int{"known": 0, "unknown": 0, "stale": 0}
	for _, one := range m.monitor.States() {
		switch {
		case one.Stale:
			counts["stale"]++
		case one.Label == "":
			counts["unknown"]++
		default:
			counts["known"]++
		}
	}
	for status, n := range counts {
		to <- prometheus.MustNewConstMetric(m.states, prometheus.GaugeValue, float64(n), status)
	}
}
