package coordinator

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/learn/federation"
)

// metrics are those of a coordinator.
type metrics struct {
	rounds  *prometheus.CounterVec
	refused *prometheus.CounterVec
	bytes   prometheus.Counter
}

// newMetrics registers the metrics; registerer may be nil.
func newMetrics(registerer prometheus.Registerer, c *Coordinator) (*metrics, error) {
	m := &metrics{
		rounds:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "edgelens_federation_rounds_total", Help: "Rounds that ended, by outcome."}, []string{"outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "edgelens_federation_refused_total", Help: "Messages of nodes that were refused, by reason."}, []string{"reason"}),
		bytes:   prometheus.NewCounter(prometheus.CounterOpts{Name: "edgelens_federation_update_bytes_total", Help: "Bytes of the updates that were accepted."}),
	}
	for _, reason := range federation.Reasons() {
		m.refused.WithLabelValues(string(reason))
	}
	for _, outcome := range []string{outcomeLive, outcomeRejected, outcomeFailed, outcomeRolledBack} {
		m.rounds.WithLabelValues(outcome)
	}
	if registerer == nil {
		return m, nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			c.mu.Lock()
			defer c.mu.Unlock()
			return value()
		})
	}
	for _, one := range []prometheus.Collector{
		m.rounds, m.refused, m.bytes,
		gauge("edgelens_federation_members", "Nodes that have joined.", func() float64 { return float64(len(c.state.Members)) }),
		gauge("edgelens_federation_head_version", "Version of the present head.", func() float64 { return float64(c.state.Head.Version) }),
		gauge("edgelens_federation_alive_members", "Nodes that polled lately.", func() (n float64) {
			for name := range c.state.Members {
				if c.alive(name) {
					n++
				}
			}
			return n
		}),
	} {
		if err := registerer.Register(one); err != nil {
			return nil, fmt.Errorf("register the metrics of the federation: %w", err)
		}
	}
	return m, nil
}
