package terminal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
	"edgelens/terminal/session"
)

// topicInsights is followed by the device and the field of an insight, each as one level.
const topicInsights = "edgelens/v1/insights/"

// deliverInsight publishes an insight, as Deliver does an event.
func (e *events) deliverInsight(ctx context.Context, d *edgelens.Delivery) error {
	return e.deliverWhole(ctx, d, "insight", insightTopic(d.Insight.Device, d.Insight.Field), event.ComposeInsight(d.Insight, e.now()))
}

// deliverWhole publishes an event of which nothing can be left out. what names it in errors.
func (e *events) deliverWhole(ctx context.Context, d *edgelens.Delivery, what, topic string, composed any) error {
	if d.Reduced {
		return fmt.Errorf("publish the %s: %w: nothing in it can be left out", what, notify.ErrRejected)
	}
	payload, err := e.composer.JSON(composed)
	if err != nil {
		return fmt.Errorf("write the %s: %w: %w", what, notify.ErrRejected, err)
	}
	err = e.downlink.publish(ctx, session.Outgoing{Topic: topic, Payload: payload, QoS: 1, Trace: d.Trace})
	switch {
	case err == nil, errors.Is(err, session.ErrNoSubscriber):
		return nil
	case errors.Is(err, session.ErrRefused):
		return fmt.Errorf("%w: %w", notify.ErrRejected, err)
	}
	return err
}

func insightTopic(device, field string) string {
	return topicInsights + topicLevel(device) + "/" + topicLevel(field)
}

// topicLevel returns a name as one level of a topic: bytes other than letters, digits and "-._~:" are percent-encoded.
// A name is text of a sensor, and may have wildcards and slashes in it.
func topicLevel(name string) string {
	var level strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~:", c) >= 0 {
			level.WriteByte(c)
		} else {
			fmt.Fprintf(&level, "%%%02X", c)
		}
	}
	return level.String()
}
