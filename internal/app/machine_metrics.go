package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	throttled = prometheus.NewDesc("edgelens_throttled",
		"1 while the processor is slower than it could be: hot, or short of power. Missing where the machine does not report it.", nil, nil)
	temperature = prometheus.NewDesc("edgelens_temperature_celsius",
		"Temperature of the processor. Missing where the machine does not report it.", nil, nil)
)

// machineMetrics reads the state of the machine's processor at each scrape, for serve and for workers. It implements
// prometheus.Collector.
type machineMetrics struct{ machine *machine }

// Describe implements prometheus.Collector.
func (m machineMetrics) Describe(c chan<- *prometheus.Desc) {
	c <- throttled
	c <- temperature
}

// Collect implements prometheus.Collector.
func (m machineMetrics) Collect(c chan<- prometheus.Metric) {
	if celsius := m.machine.state(context.Background()).Celsius; celsius != nil {
		c <- prometheus.MustNewConstMetric(temperature, prometheus.GaugeValue, *celsius)
	}
	if now := m.machine.throttledNow(context.Background()); now != nil {
		c <- prometheus.MustNewConstMetric(throttled, prometheus.GaugeValue, truth(*now))
	}
}
