package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/notify/event"
)

// resultEvents returns the events of results, and their deliveries.
type resultEvents struct {
	ledger   *ledger.Ledger
	composer event.Composer
}

// Deliveries implements api.Deliveries.
func (r resultEvents) Deliveries(ctx context.Context, result edgelens.StoredResult) (json.RawMessage, []edgelens.DeliveryStatus, error) {
	record, err := r.ledger.Records.Record(ctx, result.ID)
	if errors.Is(err, edgelens.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	deliveries, err := r.ledger.Outbox.Deliveries(ctx, result.ID)
	if err != nil {
		return nil, nil, err
	}
	link, err := r.ledger.Chains.Link(ctx, result.ID)
	if err != nil {
		return nil, nil, err
	}
	delivery := edgelens.Delivery{Record: record, Result: result, Chain: link, CreatedAt: record.ReceivedAt}
	text, err := json.Marshal(r.composer.Compose(&delivery, writtenAt(result, deliveries)))
	if err != nil {
		return nil, nil, fmt.Errorf("compose the event of result %s: %w", result.ID, err)
	}
	return text, deliveries, nil
}

// writtenAt is about when the event was written: when the first sink confirmed it, else when there was a result.
func writtenAt(result edgelens.StoredResult, deliveries []edgelens.DeliveryStatus) time.Time {
	first := time.Time{}
	for _, d := range deliveries {
		if !d.DeliveredAt.IsZero() && (first.IsZero() || d.DeliveredAt.Before(first)) {
			first = d.DeliveredAt
		}
	}
	if first.IsZero() {
		return result.CreatedAt
	}
	return first
}
