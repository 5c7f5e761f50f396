package telemetry

import "github.com/prometheus/client_golang/prometheus"

// RegisterSharedCache registers edgelens_shared_cache_total{outcome}, read from the function at each scrape. The
// outcomes are hit, miss and failure of lookups in Redis, and dropped for results that were not written to it.
func RegisterSharedCache(r prometheus.Registerer, read func() map[string]int64) {
	for _, outcome := range []string{"hit", "miss", "failure", "dropped"} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "edgelens_shared_cache_total", Help: "Lookups in the shared result cache, and results dropped instead of written to it.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, func() float64 { return float64(read()[outcome]) }))
	}
}
