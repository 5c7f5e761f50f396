package homeassistant

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"edgelens"
)

// idle is the wait where nothing is due; messages and looks for changes end it.
const idle = time.Hour

// work publishes what is due, one message at a time, and returns the wait until more is.
func (a *Announcer) work(ctx context.Context) time.Duration {
	if !a.up {
		a.images.discard(a.metrics)
		return idle
	}
	now := time.Now()
	if wait := a.quietUntil.Sub(now); wait > 0 {
		return wait
	}
	published, err := a.publishNext(ctx, now)
	switch {
	case ctx.Err() != nil:
		return idle
	case err != nil:
		if suppressed, ok := a.limiter.Pass("publish", now); ok {
			a.log.Warn("publishing for Home Assistant failed, retrying", "event", "homeassistant_publish", "suppressed", suppressed, "error", err)
		}
		a.quietUntil = now.Add(a.timing.Retry)
		return a.timing.Retry
	case published:
		a.quietUntil = time.Now().Add(a.timing.Pace)
		return a.timing.Pace
	}
	a.save()
	return a.wait(now)
}

// wait returns the time until something is due.
func (a *Announcer) wait(now time.Time) time.Duration {
	wait := idle
	for _, e := range a.entries {
		if !e.due.IsZero() {
			wait = min(wait, e.due.Sub(now))
		}
		for _, v := range e.values {
			if at, due := a.valueDue(e, v); due {
				wait = min(wait, at.Sub(now))
			}
		}
	}
	for _, r := range a.removals {
		wait = min(wait, r.at.Sub(now))
	}
	return max(wait, 0)
}

// publishNext publishes one message: a device before its values, the node before the devices, and images last.
func (a *Announcer) publishNext(ctx context.Context, now time.Time) (bool, error) {
	if e := a.nextConfig(now); e != nil {
		return true, a.publishConfig(ctx, e, now)
	}
	for id, r := range a.removals {
		if !r.at.After(now) {
			return true, a.publishRemoval(ctx, id, r, now)
		}
	}
	for _, e := range a.entries {
		for _, v := range e.values {
			if at, due := a.valueDue(e, v); due && !at.After(now) {
				return true, a.publishValue(ctx, e, v, now)
			}
		}
	}
	if device, image, ok := a.images.take(); ok {
		return true, a.publishImage(ctx, device, image)
	}
	return false, nil
}

// nextConfig returns the device whose message is due, the node first; nil for none.
func (a *Announcer) nextConfig(now time.Time) (next *entry) {
	for _, e := range a.entries {
		if e.due.IsZero() || e.due.After(now) {
			continue
		}
		if next == nil || before(e, next) {
			next = e
		}
	}
	return next
}

func before(a, b *entry) bool {
	if a.shared != b.shared {
		return b.shared // the node
	}
	return cmp.Or(a.due.Compare(b.due), strings.Compare(a.id, b.id)) < 0
}

func (a *Announcer) publishConfig(ctx context.Context, e *entry, now time.Time) error {
	message, removed := e.config.without(a.book.components(e.id))
	payload := e.message
	if removed {
		payload = message.text()
	}
	if err := a.publish(ctx, publishedConfig, configTopic(e.id), payload); err != nil {
		return err
	}
	a.book.announced(e.id, e.config.platforms())
	e.due, e.published = time.Time{}, time.Now()
	if removed { // and once more, without them
		e.due = now.Add(a.timing.Debounce)
	}
	return nil
}

// valueDue returns when a value is to be published; false where it is as published, or the device is not known yet.
func (a *Announcer) valueDue(e *entry, v value) (time.Time, bool) {
	sent, known := e.sent[v.topic]
	switch {
	case e.published.IsZero(), known && sent.payload == string(v.payload):
		return time.Time{}, false
	case !known || v.urgent:
		return sent.at, true
	}
	return sent.at.Add(a.timing.Values), true
}

func (a *Announcer) publishValue(ctx context.Context, e *entry, v value, now time.Time) error {
	if err := a.publish(ctx, publishedValue, v.topic, v.payload); err != nil {
		return err
	}
	e.sent[v.topic] = sentValue{string(v.payload), now}
	return nil
}

// publishRemoval removes a device or, as the second step, what else is retained of it.
func (a *Announcer) publishRemoval(ctx context.Context, id string, r removal, now time.Time) error {
	if !r.values {
		if err := a.publish(ctx, publishedRemoval, configTopic(id), nil); err != nil {
			return err
		}
		a.removals[id] = removal{at: now.Add(2 * a.timing.Debounce), values: true}
		return nil
	}
	for _, topic := range []string{stateTopic(id), presenceTopic(id)} {
		if err := a.publish(ctx, publishedRemoval, topic, nil); err != nil {
			return err
		}
	}
	delete(a.removals, id)
	if !a.book.deleted(id) {
		a.book.forget(id)
		a.log.Info("device removed from Home Assistant", "event", "homeassistant_removed", "id", id)
	}
	return nil
}

// publishImage publishes an image, which is not retained: it shows a person.
func (a *Announcer) publishImage(ctx context.Context, device string, image []byte) error {
	id := idOf(kindDevice, device)
	if _, known := a.marks[id]; !known || a.book.deleted(id) {
		return nil
	}
	return a.publish(ctx, publishedImage, imageTopic(id), image)
}

// publish publishes a message, retained unless it is an image. One that the broker never accepts for its size counts as
// published, and is logged: it must not hold up the others.
func (a *Announcer) publish(ctx context.Context, kind, topic string, payload []byte) error {
	err := a.parts.Broker.Publish(ctx, topic, payload, kind != publishedImage)
	if errors.Is(err, edgelens.ErrTooLarge) {
		if suppressed, ok := a.limiter.Pass(topic, time.Now()); ok {
			a.log.Warn("the MQTT broker does not accept a message for Home Assistant", "event", "homeassistant_too_large", "topic", topic, "bytes", len(payload), "suppressed", suppressed, "error", err)
		}
		return nil
	}
	if err == nil {
		a.metrics.published.WithLabelValues(kind).Inc()
	}
	return err
}
