package participant

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of a node's part in a federation.
type metrics struct {
	polls, updates   *prometheus.CounterVec
	bytes, rollbacks prometheus.Counter
	version          prometheus.Gauge
}

// newMetrics registers the metrics; registerer may be nil.
func newMetrics(registerer prometheus.Registerer, p *Participant) (*metrics, error) {
	m := &metrics{
		polls:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "edgelens_federation_polls_total", Help: "Polls of the coordinator of the federation, by outcome."}, []string{"outcome"}),
		updates:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "edgelens_federation_updates_total", Help: "Updates that were sent to the coordinator, by outcome."}, []string{"outcome"}),
		bytes:     prometheus.NewCounter(prometheus.CounterOpts{Name: "edgelens_federation_sent_bytes_total", Help: "Bytes of the updates that the coordinator accepted."}),
		rollbacks: prometheus.NewCounter(prometheus.CounterOpts{Name: "edgelens_federation_rollbacks_total", Help: "Heads of the federation that this node went back from."}),
		version:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "edgelens_federation_live_version", Help: "Version of the federation's head that was installed last; 0 for none."}),
	}
	for _, outcome := range []string{"answered", "refused", "unreachable"} {
		m.polls.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"accepted", "refused"} {
		m.updates.WithLabelValues(outcome)
	}
	m.version.Set(float64(p.state.Live.Version))
	if registerer == nil {
		return m, nil
	}
	for _, one := range []prometheus.Collector{m.polls, m.updates, m.bytes, m.rollbacks, m.version} {
		if err := registerer.Register(one); err != nil {
			return nil, fmt.Errorf("register the metrics of the federation: %w", err)
		}
	}
	return m, nil
}
