package cache

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// register registers edgelens_shared_cache_total{outcome}, read at each scrape. The outcomes are hit, miss and failure
// of lookups in Redis, and dropped for results that were not written to it.
func (s *Shared) register(r prometheus.Registerer) {
	for outcome, count := range map[string]*atomic.Int64{
		"hit": &s.counts.hits, "miss": &s.counts.misses, "failure": &s.counts.failures, "dropped": &s.counts.dropped,
	} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "edgelens_shared_cache_total", Help: "Lookups in the shared result cache, and results dropped instead of written to it.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, func() float64 { return float64(count.Load()) }))
	}
}
