package telemetry

import "github.com/prometheus/client_golang/prometheus"

// RegisterSharedCache registers edgelens_shared_cache_total{outcome}, read from
// the function at each scrape. The outcomes are hit, miss and failure of
// lookups in Redis, and dropped for results that it did not get.
func RegisterSharedCache(r prometheus.Registerer, read func() map[string]int64) {
	for _, outcome := range []string{"hit", "miss", "failure", "dropped"} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "edgelens_shared_cache_total", Help: "Lookups in the result cache that nodes share, and results that it did not get.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, func() float64 { return float64(read()[outcome]) }))
	}
}
