package sensor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"edgelens"
	"edgelens/sensor/payload"
)

// Envelopes opens sealed messages; envelope.Opener is one.
type Envelopes interface {
	// IsSealed reports whether a payload is meant as an envelope.
	IsSealed(payload []byte) bool
	// Open opens an envelope. Its error is an *edgelens.EnvelopeRefusal for one that is never accepted.
	Open(ctx context.Context, envelope []byte) (edgelens.Opened, error)
}

// waitingEnvelopes is how many envelopes wait to be opened: a key agreement, a signature and a durable note take their time,
// and the numbers of others must not wait for them.
const waitingEnvelopes = 256

// sealedMessage is a message whose payload is an envelope.
type sealedMessage struct {
	topic    string
	envelope []byte
	retained bool
}

// receiveSealed has an envelope opened soon. The error is a *payload.Refusal for one that is too large, or one too many.
func (m *Monitor) receiveSealed(topic string, envelope []byte, retained bool) error {
	now := m.clock()
	var err error
	// Base64 twice, and the headers.
	if limit := 2*m.config.MaxPayloadBytes + 4096; len(envelope) > limit {
		err = &payload.Refusal{Reason: payload.TooLarge, Sentence: fmt.Sprintf("The envelope has %d bytes; the limit is %d.", len(envelope), limit)}
	} else {
		select {
		case m.sealed <- sealedMessage{topic, bytes.Clone(envelope), retained}:
			return nil
		default:
			err = &payload.Refusal{Reason: payload.Busy, Sentence: fmt.Sprintf("More than %d sealed values wait to be opened.", waitingEnvelopes)}
		}
	}
	m.refuse(topic, err, now)
	return err
}

// openSealed opens envelopes until ctx ends, and then those that wait.
func (m *Monitor) openSealed(ctx context.Context) {
	for {
		select {
		case message := <-m.sealed:
			m.takeSealed(ctx, message)
		case <-ctx.Done(): // those that wait are acknowledged
			limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
			defer cancel()
			for len(m.sealed) > 0 {
				m.takeSealed(limited, <-m.sealed)
			}
			return
		}
	}
}

func (m *Monitor) takeSealed(ctx context.Context, message sealedMessage) {
	if err := m.open(ctx, message); err != nil {
		m.refuse(message.topic, err, m.clock())
	}
}

// open takes the readings in an envelope, which must be of the device whose key signed it. It is noted before: a value that
// the process dies with is lost, and none counts twice.
func (m *Monitor) open(ctx context.Context, message sealedMessage) error {
	opened, err := m.parts.Envelopes.Open(ctx, message.envelope)
	if err == nil {
		err = opened.Done(ctx, true)
	}
	var refusal *edgelens.EnvelopeRefusal
	switch {
	case errors.As(err, &refusal) && refusal.Reason == edgelens.EnvelopeReplay:
		return &payload.Refusal{Reason: payload.Replay, Sentence: refusal.Detail}
	case errors.As(err, &refusal):
		return &payload.Refusal{Reason: payload.Envelope, Sentence: refusal.Detail}
	case err != nil:
		return &payload.Refusal{Reason: payload.Envelope, Sentence: "The envelope cannot be checked now: " + err.Error()}
	}
	now := m.clock()
	result, err := m.parser.Parse(payload.Message{Topic: message.topic, Payload: opened.Payload, Retained: message.retained, ReceivedAt: now.Wall, SentAt: opened.SentAt})
	if err != nil {
		return err
	}
	for _, reading := range result.Readings {
		if reading.Device != opened.Device {
			return &payload.Refusal{Reason: payload.OtherDevice, Sentence: fmt.Sprintf("The value is of the device %.64q, and was sealed by the key of %s.", reading.Device, opened.Device)}
		}
	}
	for _, reading := range result.Readings {
		m.observe(reading, now, false)
	}
	return nil
}

// checkPlain returns a *payload.Refusal for plain values of a device that must seal them.
func (m *Monitor) checkPlain(readings []edgelens.Reading) error {
	for _, reading := range readings {
		if m.mustSeal(reading.Device) {
			return &payload.Refusal{Reason: payload.Unsealed, Sentence: fmt.Sprintf("The value is not sealed, and the device %.64q must seal its values (sensor.sealed_only, or sealed_only of the device).", reading.Device)}
		}
	}
	return nil
}

func (m *Monitor) mustSeal(device string) bool {
	byName := slices.ContainsFunc(m.config.SealedOnly, func(pattern string) bool { return matchesPattern(pattern, device) })
	return byName || m.parts.MustSeal != nil && m.parts.MustSeal(device)
}
