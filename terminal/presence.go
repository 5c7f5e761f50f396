package terminal

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
)

const (
	// saveInterval is how often counters and times of devices are saved; changes of
	// their state are saved at once.
	saveInterval = 30 * time.Second
	// expireInterval is how often devices are checked for silence.
	expireInterval = time.Second
)

// presenceParts are the dependencies of presence.
type presenceParts struct {
	common
	store          Devices
	dialects       matcher
	registry       *registry
	clocks         *clocks
	availabilities *availabilities
	answers        *answers
}

// presence decides which devices are online: by their messages, those of other nodes of the
// group, and their silence. It saves the devices. It is safe for use by many goroutines.
type presence struct {
	presenceParts
	// saving is held while devices are stored or forgotten, so that a forgotten one is not stored again.
	saving sync.Mutex
}

func newPresence(parts presenceParts, registerer prometheus.Registerer) *presence {
	registerer.MustRegister(&deviceStates{parts.registry}, &deviceClocks{parts.registry})
	return &presence{presenceParts: parts}
}

// onSign handles a message without a record, such as a heartbeat, and answers it from
// memory.
func (p *presence) onSign(msg item, message dialect.Message) {
	p.traffic.count(in, msg.dialect.Name(), message.Kind.String())
	if message.Device == "" || msg.stale(p.config.Fresh) {
		return
	}
	proves := provesOnline
	if message.Kind == dialect.Offline {
		proves = provesOffline
	}
	ok := p.noteSeen(msg, message, proves, false, func(c *edgelens.DeviceCounters) {
		switch message.Kind {
		case dialect.Heartbeat:
			c.Heartbeats++
		case dialect.Unknown:
			countUnknown(c, message.Name)
		}
	})
	if !ok {
		return
	}
	p.answers.put(msg.dialect.Name(), kindAnswer, message.Answers)
	if message.Times != nil && msg.stored() == "" {
		verdict := p.clocks.assess(message.Device, p.registry.settings(message.Device).ApplyClockOffset, message.Times, msg.receivedAt)
		p.clocks.measure(message.Device, clock.FromHeartbeat, verdict, msg.receivedAt)
	}
}

// noteSeen records a message of a device, which makes it lasting or not, and reports whether it may be processed.
func (p *presence) noteSeen(msg item, message dialect.Message, proves proof, lasting bool, count func(*edgelens.DeviceCounters)) bool {
	state, err := p.registry.noteSeen(msg.dialect.Name(), message.Device, msg.receivedAt, proves, lasting, count)
	if err != nil {
		p.traffic.drop(dropTooMany)
		p.warn(msg, "a message was dropped", err)
		return false
	}
	if state == edgelens.DeviceRefused {
		p.traffic.count(in, msg.dialect.Name(), kindRefused)
		return false
	}
	if proves == provesOnline {
		p.announce(msg, message.Device)
	}
	return true
}

// maxNamesKept is the maximum number of unknown message names counted per device.
const maxNamesKept = 20

// countUnknown counts a message of a device that its dialect does not know.
func countUnknown(c *edgelens.DeviceCounters, name string) {
	c.Unknown++
	if _, known := c.UnknownNames[name]; !known && len(c.UnknownNames) >= maxNamesKept {
		name = "others"
	}
	if c.UnknownNames == nil {
		c.UnknownNames = map[string]int64{}
	}
	c.UnknownNames[name]++
}

// run marks silent devices offline, and saves changes, until ctx ends.
func (p *presence) run(ctx context.Context) {
	tick := time.NewTicker(expireInterval)
	defer tick.Stop()
	saved := p.now()
	for {
		select {
		case <-p.registry.changes():
		case <-tick.C:
			p.registry.expire(p.now())
		case <-ctx.Done():
			return
		}
		all := p.now().Sub(saved) >= saveInterval
		if all {
			saved = p.now()
		}
		p.save(ctx, all)
	}
}

// save publishes and saves the changes of devices: all, or the urgent ones.
func (p *presence) save(ctx context.Context, all bool) {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.forget(ctx)
	changed, devices := p.registry.takeDirty(all)
	p.availabilities.changed(changed)
	if len(devices) == 0 {
		return
	}
	if err := p.store.SaveDevices(ctx, devices...); err != nil {
		p.registry.notSaved(devices)
		if suppressed, ok := p.limiter.Pass("save devices", p.now()); ok && ctx.Err() == nil {
			p.log.Warn("saving devices failed, retrying", "devices", len(devices), "suppressed", suppressed, "error", err)
		}
	}
}

// forget removes what is published and stored of devices that gave way.
func (p *presence) forget(ctx context.Context) {
	gone := p.registry.takeGone()
	if len(gone) == 0 {
		return
	}
	p.traffic.forgotten.Add(float64(len(gone)))
	p.availabilities.remove(gone)
	if err := p.store.RemoveDevices(ctx, gone...); err != nil && ctx.Err() == nil {
		// A row that stays is one of an earlier version; it gives way again after a restart.
		p.log.Warn("removing devices failed", "devices", len(gone), "error", err)
	}
	if suppressed, ok := p.limiter.Pass("devices gave way", p.now()); ok {
		p.log.Warn("devices that have sent nothing but heartbeats gave way to new ones: the maximum is known (terminal.max_devices)", "event", "devices_gave_way", "devices", len(gone), "suppressed", suppressed)
	}
}
