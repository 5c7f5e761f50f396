package terminal

import (
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// recordMetrics count the records of devices. Devices are not labels.
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

// observe registers the metrics that are computed on each scrape.
func (b *Bridge) observe(registerer prometheus.Registerer) {
	registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "edgelens_mqtt_connected", Help: "1 while there is a connection to the MQTT broker.",
	}, func() float64 {
		if b.Connected() {
			return 1
		}
		return 0
	}), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "edgelens_mqtt_waiting", Help: "Messages of terminals that wait to be stored.",
	}, func() float64 { return float64(b.queues.waiting()) }), &deviceStates{b.registry}, &deviceClocks{b.registry})
}

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
