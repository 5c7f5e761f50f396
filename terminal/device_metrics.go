package terminal

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// deviceStates counts the devices for a scrape.
type deviceStates struct{ registry *registry }

var devicesDescription = prometheus.NewDesc("edgelens_devices",
	"Devices by state: online and offline among the accepted, quarantined, refused.", []string{"state"}, nil)

// Describe implements prometheus.Collector.
func (d *deviceStates) Describe(c chan<- *prometheus.Desc) { c <- devicesDescription }

// Collect implements prometheus.Collector.
func (d *deviceStates) Collect(c chan<- prometheus.Metric) {
	counts := map[string]int{"online": 0, "offline": 0, "quarantined": 0, "refused": 0}
	for _, device := range d.registry.list() {
		switch {
		case device.State != edgelens.DeviceAccepted:
			counts[string(device.State)]++
		case device.Online:
			counts["online"]++
		default:
			counts["offline"]++
		}
	}
	for state, n := range counts {
		c <- prometheus.MustNewConstMetric(devicesDescription, prometheus.GaugeValue, float64(n), state)
	}
}

// maxClocks is the maximum number of devices named in the metric of wrong clocks: those
// with the largest offsets. A site with more has another problem.
const maxClocks = 100

// deviceClocks collects the clocks of the devices for a scrape.
type deviceClocks struct{ registry *registry }

var (
	clocksDescription = prometheus.NewDesc("edgelens_device_clocks",
		"Accepted devices by the measured state of their clocks: right, wrong (off by more than terminal.clock_limit), unknown.", []string{"state"}, nil)
	clockOffsetDescription = prometheus.NewDesc("edgelens_device_clock_offset_seconds",
		"Offset of a device's clock from ours, positive when ahead, of wrong clocks; at most the worst 100.", []string{"device"}, nil)
)

// Describe implements prometheus.Collector.
func (d *deviceClocks) Describe(c chan<- *prometheus.Desc) {
	c <- clocksDescription
	c <- clockOffsetDescription
}

// Collect implements prometheus.Collector.
func (d *deviceClocks) Collect(c chan<- prometheus.Metric) {
	counts := map[string]int{"right": 0, "wrong": 0, "unknown": 0}
	var wrong []edgelens.Device
	for _, device := range d.registry.list() {
		switch {
		case device.State != edgelens.DeviceAccepted:
		case device.Clock.Problem != "":
			counts["wrong"]++
			wrong = append(wrong, device)
		case device.Clock.Samples > 0:
			counts["right"]++
		default:
			counts["unknown"]++
		}
	}
	for state, n := range counts {
		c <- prometheus.MustNewConstMetric(clocksDescription, prometheus.GaugeValue, float64(n), state)
	}
	slices.SortStableFunc(wrong, func(a, b edgelens.Device) int { return int(min(1, max(-1, b.Clock.Offset.Abs()-a.Clock.Offset.Abs()))) })
	for _, device := range wrong[:min(len(wrong), maxClocks)] {
		c <- prometheus.MustNewConstMetric(clockOffsetDescription, prometheus.GaugeValue, device.Clock.Offset.Seconds(), device.ID)
	}
}
