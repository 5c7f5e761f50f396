package terminal

import (
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/terminal/clock"
)

// recordMetrics count the records of devices. Devices are not labels. It is safe for use by
// many goroutines.
type recordMetrics struct {
	records       *prometheus.CounterVec
	notUnderstood *prometheus.CounterVec
}

// Parts of a record that may not be understood; partTime is followed by a
// clock.Problem.
const (
	partTime    = "time_"
	partVerdict = "verdict"
	partText    = "text"
)

func newRecordMetrics(registerer prometheus.Registerer) *recordMetrics {
	m := &recordMetrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_records_total", Help: "Records of devices by dialect and freshness on arrival (fresh, replayed, unknown), without duplicates.",
		}, []string{"dialect", "freshness"}),
		notUnderstood: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_records_not_understood_total", Help: "Records of devices with a part that is not understood, or proves nothing, by dialect and part.",
		}, []string{"dialect", "part"}),
	}
	registerer.MustRegister(m.records, m.notUnderstood)
	return m
}

// count counts a new record. problem is that of its time; undecoded is set where it has
// texts in an unknown character set.
func (m *recordMetrics) count(record edgelens.Record, problem clock.Problem, undecoded bool) {
	m.records.WithLabelValues(record.Dialect, string(record.Freshness)).Inc()
	if problem != "" {
		m.notUnderstood.WithLabelValues(record.Dialect, partTime+string(problem)).Inc()
	}
	if record.Doubt != "" {
		m.notUnderstood.WithLabelValues(record.Dialect, partVerdict).Inc()
	}
	if undecoded {
		m.notUnderstood.WithLabelValues(record.Dialect, partText).Inc()
	}
}
