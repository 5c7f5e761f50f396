package telemetry

import "github.com/prometheus/client_golang/prometheus"

// LedgerStats is the state of the ledger.
type LedgerStats struct {
	// Removed is what was removed since the start for lack of room, by kind.
	Removed map[string]int64
	// WithoutImage counts the records that were kept without their images.
	WithoutImage int64
	// Problems are the parts with an error: "ledger", "images", "space".
	Problems []string
}

type ledger struct {
	removed, withoutImage, problem *prometheus.Desc
	read                           func() LedgerStats
}

// RegisterLedger registers edgelens_ledger_removed_for_space_total by kind,
// edgelens_records_without_image_total and edgelens_storage_problem by part, read
// at each scrape.
func RegisterLedger(r prometheus.Registerer, read func() LedgerStats) {
	r.MustRegister(&ledger{
		removed: prometheus.NewDesc("edgelens_ledger_removed_for_space_total",
			"Rows and images that were removed since the start for space, before they reached their age.", []string{"kind"}, nil),
		withoutImage: prometheus.NewDesc("edgelens_records_without_image_total",
			"Records of terminals that were kept without their images since the start, because images could not be written.", nil, nil),
		problem: prometheus.NewDesc("edgelens_storage_problem",
			"1 where the ledger or the images cannot be written, or space is short.", []string{"part"}, nil),
		read: read,
	})
}

// Describe implements prometheus.Collector.
func (l *ledger) Describe(c chan<- *prometheus.Desc) {
	c <- l.removed
	c <- l.withoutImage
	c <- l.problem
}

// Collect implements prometheus.Collector.
func (l *ledger) Collect(c chan<- prometheus.Metric) {
	stats := l.read()
	for kind, n := range stats.Removed {
		c <- prometheus.MustNewConstMetric(l.removed, prometheus.CounterValue, float64(n), kind)
	}
	c <- prometheus.MustNewConstMetric(l.withoutImage, prometheus.CounterValue, float64(stats.WithoutImage))
	// With explicit zeros, for alerts.
	problems := map[string]float64{"ledger": 0, "images": 0, "space": 0}
	for _, part := range stats.Problems {
		problems[part] = 1
	}
	for part, n := range problems {
		c <- prometheus.MustNewConstMetric(l.problem, prometheus.GaugeValue, n, part)
	}
}
