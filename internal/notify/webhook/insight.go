package webhook

import (
	"context"
	"fmt"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
)

// bodyOf returns the body of a delivery: the fields of a record, or the CloudEvent of an insight, as over MQTT.
func (w *Webhook) bodyOf(ctx context.Context, d *edgelens.Delivery) ([]byte, error) {
	if d.Insight == nil {
		return w.body(ctx, d)
	}
	if d.Reduced {
		return nil, fmt.Errorf("write the webhook's body: %w: nothing in an insight can be left out", notify.ErrRejected)
	}
	text, err := w.composer.JSON(event.ComposeInsight(d.Insight, w.now()))
	if err != nil {
		return nil, fmt.Errorf("write the webhook's body: %w: %w", notify.ErrRejected, err)
	}
	return text, nil
}
