package terminal

import (
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// metrics count the work of the bridge. Devices are not labels, except for the few whose
// clock is wrong.
type metrics struct {
	messages      *prometheus.CounterVec
	dropped       *prometheus.CounterVec
	records       *prometheus.CounterVec
	notUnderstood *prometheus.CounterVec
}

// Directions and kinds of messages, besides those of dialect.Kind.
const (
	in  = "in"
	out = "out"

	kindMalformed    = "malformed"
	kindEmpty        = "empty"
	kindForeign      = "foreign"
	kindRefused      = "refused"
	kindAnswer       = "answer"
	kindAck          = "ack"
	kindCommand      = "command"
	kindEvent        = "event"
	kindAvailability = "availability"
)

// Parts of a record that may not be understood; partTime is followed by a
// clock.Problem.
const (
	partTime    = "time_"
	partVerdict = "verdict"
	partText    = "text"
)

// Reasons of dropped messages.
const (
	dropQueueFull = "queue_full"       // the queue of a device was full of messages of QoS 0
	dropNotKept   = "not_kept"         // a record could not be stored
	dropNotSent   = "not_sent"         // an answer could not be sent
	dropAnswering = "answering"        // too many answers were queued
	dropTooMany   = "too_many_devices" // the device exceeds MaxDevices
	dropAtBroker  = "broker"           // the broker's queue for a client was full
)

func newMetrics(registerer prometheus.Registerer) *metrics {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_mqtt_messages_total", Help: "MQTT messages by direction, dialect and kind.",
		}, []string{"direction", "dialect", "kind"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_mqtt_dropped_total", Help: "MQTT messages that were dropped, by reason.",
		}, []string{"reason"}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_records_total", Help: "Records of devices by dialect and freshness on arrival (fresh, replayed, unknown), without duplicates.",
		}, []string{"dialect", "freshness"}),
		notUnderstood: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_records_not_understood_total", Help: "Records of devices with a part that is not understood, or proves nothing, by dialect and part.",
		}, []string{"dialect", "part"}),
	}
	for _, reason := range []string{dropQueueFull, dropNotKept, dropNotSent, dropAnswering, dropTooMany, dropAtBroker} {
		m.dropped.WithLabelValues(reason)
	}
	registerer.MustRegister(m.messages, m.dropped, m.records, m.notUnderstood)
	return m
}

func (m *metrics) count(direction, dialect, kind string) {
	m.messages.WithLabelValues(direction, dialect, kind).Inc()
}

func (m *metrics) drop(reason string) { m.dropMany(reason, 1) }

func (m *metrics) dropMany(reason string, n uint64) {
	m.dropped.WithLabelValues(reason).Add(float64(n))
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
