package homeassistant

import (
	"context"
	"strings"
	"time"

	"edgelens"
)

// refresh compares what exists with what is known. Where a source fails, nothing counts as gone.
func (a *Announcer) refresh(ctx context.Context, now time.Time) {
	defer a.save()
	cards, err := a.cards(ctx)
	if err != nil {
		if suppressed, ok := a.limiter.Pass("refresh", now); ok && ctx.Err() == nil {
			a.log.Warn("looking for devices for Home Assistant failed, retrying", "event", "homeassistant_refresh", "suppressed", suppressed, "error", err)
		}
		return
	}
	clear(a.marks)
	wanted, leads := map[string]bool{}, a.peers.leads(now, a.timing.Settle)
	for _, c := range cards {
		a.marks[c.id] = c.mark
		if a.book.hides(c.id, c.mark) {
			continue
		}
		a.book.unhide(c.id)
		if c.shared && !leads {
			continue
		}
		wanted[c.id] = true
		a.want(c, now)
	}
	for id, e := range a.entries {
		switch {
		case wanted[id]:
		case e.shared && !leads && a.marks[id] != "":
			// Another node of the group makes it known from now on.
			delete(a.entries, id)
			a.book.forget(id)
		default:
			delete(a.entries, id)
			a.removals[id] = removal{at: now.Add(a.timing.Debounce)}
		}
	}
	a.removeAbsent(now)
	a.metrics.devices.Set(float64(len(a.entries)))
}

// want has a device made known.
func (a *Announcer) want(c card, now time.Time) {
	e := a.entries[c.id]
	if e == nil {
		e = &entry{card: c, sent: map[string]sentValue{}, due: now.Add(a.timing.Debounce)}
		a.entries[c.id] = e
		delete(a.removals, c.id)
		return
	}
	if !e.same(c) && e.due.IsZero() {
		e.due = now.Add(a.timing.Debounce)
	}
	e.card = c
}

// removeAbsent removes the devices of earlier runs that do not exist any more. Devices that have sent nothing but
// heartbeats are not stored: they are given time to send one.
func (a *Announcer) removeAbsent(now time.Time) {
	for _, id := range a.book.ids() {
		_, exists := a.marks[id]
		_, going := a.removals[id]
		switch {
		case exists || going || a.config.Discovery && now.Sub(a.started) < a.timing.Absence:
		case a.book.deleted(id):
			a.book.forget(id) // forgotten here, too: it may return
		default:
			a.removals[id] = removal{at: now}
		}
	}
}

// cards returns the card of everything that exists: at most Config.MaxDevices, the node first.
func (a *Announcer) cards(ctx context.Context) ([]card, error) {
	if !a.config.Discovery {
		return nil, nil
	}
	var devices []edgelens.Device
	if a.parts.Devices != nil {
		var err error
		if devices, err = a.parts.Devices(ctx); err != nil {
			return nil, err
		}
	}
	series, err := a.parts.Series(ctx)
	if err != nil {
		return nil, err
	}
	cards, addressees := []card{a.nodeCard(ctx, devices)}, map[string]addressee{}
	for _, device := range devices {
		if device.State == edgelens.DeviceAccepted {
			c := a.deviceCard(device)
			cards = append(cards, c)
			addressees[c.id] = addressee{device.ID, a.commandsOf(device.ID)}
		}
	}
	sensors, dropped := a.sensorCards(series)
	a.leaveOut(leftOutFields, dropped, "fields of a sensor are not made known to Home Assistant: it has more than 100")
	cards = append(cards, sensors...)
	if a.parts.States != nil {
		states, err := a.parts.States(ctx)
		if err != nil {
			return nil, err
		}
		cards = append(cards, a.stateCards(states)...)
	}
	cards = a.limit(cards)
	reachable := make(map[string]addressee, len(addressees))
	for _, c := range cards {
		if to, ok := addressees[c.id]; ok && !a.book.hides(c.id, c.mark) {
			reachable[c.id] = to
		}
	}
	a.commands.set(reachable)
	return cards, nil
}

// limit returns at most Config.MaxDevices cards besides the node's: those that are known already first.
func (a *Announcer) limit(cards []card) []card {
	left := a.config.MaxDevices
	if len(cards)-1 <= left {
		a.leaveOut(leftOutDevices, 0, "")
		return cards
	}
	a.leaveOut(leftOutDevices, len(cards)-1-left, "devices are not made known to Home Assistant: homeassistant.max_devices are")
	kept := make([]card, 0, left+1)
	for _, known := range []bool{true, false} {
		for _, c := range cards {
			if is := a.entries[c.id] != nil; is != known {
				continue
			}
			if isNode := strings.HasPrefix(c.id, idPrefix+kindNode+"-"); isNode {
				kept = append(kept, c)
			} else if left > 0 {
				kept, left = append(kept, c), left-1
			}
		}
	}
	return kept
}

// leaveOut notes how much is left out, and logs it once until nothing is.
func (a *Announcer) leaveOut(reason string, count int, what string) {
	if count > 0 && !a.full[reason] {
		a.log.Warn(what, "event", "homeassistant_full", "reason", reason, "count", count)
	}
	a.full[reason] = count > 0
	a.metrics.leftOut.WithLabelValues(reason).Set(float64(count))
}
