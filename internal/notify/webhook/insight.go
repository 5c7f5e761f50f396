package webhook

import (
	"context"
	"fmt"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
)

// bodyOf returns the body of a delivery: the fields of a record, or the CloudEvent of an insight or of a change of a state,
// as over MQTT.
func (w *Webhook) bodyOf(ctx context.Context, d *edgelens.Delivery) ([]byte, error) {
	var composed any
	switch {
	case d.Insight != nil:
		composed = event.ComposeInsight(d.Insight, w.now())
	case d.State != nil:
		composed = event.ComposeState(d.State, w.now())
	default:
		return w.body(ctx, d)
	}
	if d.Reduced {
		return nil, fmt.Errorf("write the webhook's body: %w: nothing in an insight or a state can be left out", notify.ErrRejected)
	}
	text, err := w.composer.JSON(composed)
	if err != nil {
		return nil, fmt.Errorf("write the webhook's body: %w: %w", notify.ErrRejected, err)
	}
	return text, nil
}
