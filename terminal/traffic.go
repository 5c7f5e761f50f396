package terminal

import "github.com/prometheus/client_golang/prometheus"

// Directions and kinds of messages, besides those of dialect.Kind.
const (
	in  = "in"
	out = "out"

	kindMalformed    = "malformed"
	kindEmpty        = "empty"
	kindForeign      = "foreign"
	kindRefused      = "refused"
	kindUncertified  = "uncertified"
	kindUnproven     = "unproven"
	kindAnswer       = "answer"
	kindAck          = "ack"
	kindCommand      = "command"
	kindEvent        = "event"
	kindAvailability = "availability"
)

// Reasons of dropped messages.
const (
	dropQueueFull = "queue_full"       // the queue of a device was full of messages of QoS 0
	dropNotKept   = "not_kept"         // a record could not be stored
	dropNotSent   = "not_sent"         // an answer could not be sent
	dropAnswering = "answering"        // too many answers were queued
	dropTooMany   = "too_many_devices" // the device exceeds MaxDevices
	dropAtBroker  = "broker"           // the broker's queue for a client was full

	dropUncertified = "uncertified" // the device has no certificate, and needs one
)

// The outcomes of envelopes, besides the reasons of an edgelens.EnvelopeRefusal.
const (
	envelopeOpened      = "opened"
	envelopeRepeated    = "repeated" // the broker has sent it again
	envelopeOtherDevice = "device"   // it was sealed by another device than it is of
	envelopePlain       = "plain"    // it is none, and the device may send nothing else
)

// traffic counts the messages of the bridge. Devices are not labels. It is safe for use by
// many goroutines.
type traffic struct {
	messages *prometheus.CounterVec
	dropped  *prometheus.CounterVec
	// envelopes counts sealed messages, and plain ones in their place.
	envelopes *prometheus.CounterVec
	// forgotten counts the devices that gave way to new ones.
	forgotten prometheus.Counter
}

func newTraffic(registerer prometheus.Registerer) *traffic {
	t := &traffic{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_mqtt_messages_total", Help: "MQTT messages by direction, dialect and kind.",
		}, []string{"direction", "dialect", "kind"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_mqtt_dropped_total", Help: "MQTT messages that were dropped, by reason.",
		}, []string{"reason"}),
		envelopes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_envelopes_total", Help: "Sealed messages of devices by outcome: opened, repeated (the broker has sent it again), or the reason of the refusal (form, algorithm, header, recipient, decryption, key, signature, audience, time, replay, device: it is of another device, plain: it is not sealed and the device must).",
		}, []string{"outcome"}),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "edgelens_devices_forgotten_total", Help: "Devices that had sent nothing but heartbeats and gave way to new ones, at terminal.max_devices.",
		}),
	}
	for _, reason := range []string{dropQueueFull, dropNotKept, dropNotSent, dropAnswering, dropTooMany, dropAtBroker, dropUncertified} {
		t.dropped.WithLabelValues(reason)
	}
	for _, outcome := range []string{envelopeOpened, envelopeRepeated, envelopeOtherDevice, envelopePlain} {
		t.envelopes.WithLabelValues(outcome)
	}
	registerer.MustRegister(t.messages, t.dropped, t.envelopes, t.forgotten)
	return t
}

func (t *traffic) count(direction, dialect, kind string) {
	t.messages.WithLabelValues(direction, dialect, kind).Inc()
}

func (t *traffic) envelope(outcome string) { t.envelopes.WithLabelValues(outcome).Inc() }

func (t *traffic) drop(reason string) { t.dropMany(reason, 1) }

func (t *traffic) dropMany(reason string, n uint64) {
	t.dropped.WithLabelValues(reason).Add(float64(n))
}
