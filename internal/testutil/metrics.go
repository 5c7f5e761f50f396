package testutil

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics returns the value of every gauge and counter, by its name and the values of its labels, in the order of the
// labels' names: "edgelens_interpreters cats idle".
func Metrics(t testing.TB, metrics prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			name := family.GetName()
			for _, label := range m.Label {
				name += " " + label.GetValue()
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}
