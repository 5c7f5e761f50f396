package terminal

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/terminal/dialect/wire"
)

// processAny is process for a message that may be sealed.
func (i *intake) processAny(ctx context.Context, msg item) bool {
	if !msg.sealed {
		return i.process(ctx, msg)
	}
	opened, err := i.envelopes.Open(ctx, msg.Payload)
	var refusal *edgelens.EnvelopeRefusal
	if errors.As(err, &refusal) && refusal.Reason == edgelens.EnvelopeReplay && msg.Duplicate {
		// The broker alone can mark what it sends again: the acknowledgement was lost.
		i.traffic.envelope(envelopeRepeated)
		return true
	}
	if errors.As(err, &refusal) {
		i.traffic.envelope(refusal.Reason)
		i.notUnderstood.unproven(msg, msg.device, refusal.Detail)
		return true
	}
	if err != nil {
		i.warn(msg, "opening a sealed message failed; it is not acknowledged", err)
		return false
	}
	msg.Payload, msg.proven = opened.Payload, opened.Device
	processed := i.process(ctx, msg)
	if err := opened.Done(ctx, processed); err != nil {
		// It is sent again, and its records are recognized as duplicates.
		i.warn(msg, "remembering a sealed message failed; it is not acknowledged", err)
		return false
	}
	return processed
}

// unproven reports whether a message does not prove to be of its device: it is by another one, or plain where the device
// is set to send sealed ones only. It is refused then.
func (i *intake) unproven(msg item, reading wire.Reading) bool {
	for _, message := range reading.Messages {
		reason := ""
		switch {
		case msg.proven != "" && message.Device != msg.proven:
			reason = fmt.Sprintf("The message is of the device %s, and was sealed by the key of %s.", message.Device, msg.proven)
		case msg.proven == "" && i.registry.settings(message.Device).SealedOnly:
			reason = "The message is not sealed, and the device is set to send sealed messages only (sealed_only)."
		default:
			continue
		}
		outcome := envelopePlain
		if msg.proven != "" {
			outcome = envelopeOtherDevice
		}
		i.traffic.envelope(outcome)
		i.notUnderstood.unproven(msg, message.Device, reason)
		return true
	}
	return false
}
