package homeassistant

import "github.com/prometheus/client_golang/prometheus"

// The values of the label kind of edgelens_homeassistant_published_total.
const (
	publishedConfig  = "config"
	publishedValue   = "value"
	publishedImage   = "image"
	publishedRemoval = "removal"
)

// The values of the label reason of edgelens_homeassistant_dropped_total.
const (
	dropQueue = "queue_full"
	dropImage = "image"
)

// The values of the label reason of edgelens_homeassistant_left_out.
const (
	leftOutDevices = "too_many_devices"
	leftOutFields  = "too_many_fields"
)

// The values of the label outcome of edgelens_homeassistant_commands_total.
const (
	commandAccepted = "accepted"
	commandRefused  = "refused"
)

type metrics struct {
	published, dropped, commands *prometheus.CounterVec
	leftOut                      *prometheus.GaugeVec
	devices                      prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	m := &metrics{
		published: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_homeassistant_published_total", Help: "Messages for Home Assistant, by kind: config (a device), value, image, removal (an empty retained message).",
		}, []string{"kind"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_homeassistant_dropped_total", Help: "Dropped messages, by reason: queue_full (from Home Assistant), image (a newer one came first, or there was no connection).",
		}, []string{"reason"}),
		leftOut: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "edgelens_homeassistant_left_out", Help: "What Home Assistant does not get, by reason: devices beyond homeassistant.max_devices (too_many_devices), fields of a sensor beyond 100 (too_many_fields).",
		}, []string{"reason"}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_homeassistant_commands_total", Help: "Commands from Home Assistant, by outcome: accepted or refused.",
		}, []string{"outcome"}),
		devices: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "edgelens_homeassistant_devices", Help: "Devices that this node makes known to Home Assistant.",
		}),
	}
	registerer.MustRegister(m.published, m.dropped, m.commands, m.leftOut, m.devices)
	for _, kind := range []string{publishedConfig, publishedValue, publishedImage, publishedRemoval} {
		m.published.WithLabelValues(kind)
	}
	for _, reason := range []string{dropQueue, dropImage} {
		m.dropped.WithLabelValues(reason)
	}
	for _, reason := range []string{leftOutDevices, leftOutFields} {
		m.leftOut.WithLabelValues(reason)
	}
	for _, outcome := range []string{commandAccepted, commandRefused} {
		m.commands.WithLabelValues(outcome)
	}
	return m
}
