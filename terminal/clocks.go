package terminal

import (
	"log/slog"
	"sync"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
)

// clocks measures the clocks of the known devices and holds their zones. It is safe for use
// by many goroutines.
type clocks struct {
	log *slog.Logger
	// site is the zone where a device's own settings have none, fresh the maximum age of a
	// fresh record, and limit the offset beyond which a clock is wrong.
	site         clock.Zone
	fresh, limit time.Duration

	mu      sync.Mutex
	devices map[string]*deviceClock
}

// deviceClock is the clock of a device.
type deviceClock struct {
	meter clock.Meter
	// wrong is whether the last log line reported it as wrong.
	wrong bool
	// zone is that of the device's settings; nil for the site's.
	zone *time.Location
}

func newClocks(config Config, site clock.Zone, log *slog.Logger) *clocks {
	return &clocks{log: log, site: site, fresh: config.Fresh, limit: config.ClockLimit, devices: map[string]*deviceClock{}}
}

// of returns the clock of a device; mu is held.
func (c *clocks) of(device string) *deviceClock {
	found := c.devices[device]
	if found == nil {
		found = &deviceClock{}
		c.devices[device] = found
	}
	return found
}

// setZone changes the zone of a device's settings, nil for the site's, and forgets the
// samples: they are from the other zone.
func (c *clocks) setZone(device string, zone *time.Location) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.of(device)
	of.zone = zone
	of.meter.Reset()
}

// zoneOf returns the zone of a device's clock, never nil: that of its settings, else the
// site's.
func (c *clocks) zoneOf(device string) *time.Location {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.zone(device)
}

// zone is zoneOf while mu is held.
func (c *clocks) zone(device string) *time.Location {
	if known := c.devices[device]; known != nil && known.zone != nil {
		return known.zone
	}
	return c.site.Of(device)
}

// forget removes what is known of a device's clock.
func (c *clocks) forget(device string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.devices, device)
}

// offline records that a device went offline: its clock may be set meanwhile.
func (c *clocks) offline(device string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of(device).meter.Offline(now)
}

// shown returns the clock of a device as the API shows it.
func (c *clocks) shown(device string, now time.Time) edgelens.DeviceClock {
	c.mu.Lock()
	defer c.mu.Unlock()
	measured := c.estimate(device, now)
	return edgelens.DeviceClock{Offset: measured.Offset, Samples: measured.Samples, Problem: measured.Problem(c.limit, c.zone(device), now)}
}

// estimate returns the estimate of a device's clock; mu is held.
func (c *clocks) estimate(device string, now time.Time) clock.Estimate {
	if known := c.devices[device]; known != nil {
		return known.meter.Estimate(now)
	}
	return clock.Estimate{}
}

// assess returns what the times in a message of a device prove. apply corrects them by the
// measured offset.
func (c *clocks) assess(device string, apply bool, times []clock.Reading, received time.Time) clock.Verdict {
	c.mu.Lock()
	evidence := clock.Evidence{
		Readings: times, Received: received, Zone: c.zone(device), Fresh: c.fresh, Measured: c.estimate(device, received), Apply: apply,
	}
	c.mu.Unlock()
	return clock.Assess(evidence)
}

// measure adds a sample of a device's clock from a message that cannot have waited, and
// logs when the clock becomes wrong and when it is right again.
func (c *clocks) measure(device string, source clock.Source, verdict clock.Verdict, received time.Time) {
	measured, zone, changed := c.add(device, source, verdict, received)
	if !changed {
		return
	}
	if problem := measured.Problem(c.limit, zone, received); problem != "" {
		c.log.Warn("the clock of a device is wrong", "event", "clock_wrong", "device", device, "offset", clock.Round(measured.Offset), "samples", measured.Samples, "problem", problem)
		return
	}
	c.log.Info("the clock of a device is right again", "event", "clock_right", "device", device, "offset", clock.Round(measured.Offset), "samples", measured.Samples)
}

// add adds a sample, and returns the estimate, the zone, and whether the clock has become
// wrong, or right again.
func (c *clocks) add(device string, source clock.Source, verdict clock.Verdict, received time.Time) (now clock.Estimate, zone *time.Location, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.of(device)
	of.meter.Add(source, verdict, received)
	now = of.meter.Estimate(received)
	if wrong := now.Wrong(c.limit); now.Stable && wrong != of.wrong {
		of.wrong, changed = wrong, true
	}
	return now, c.zone(device), changed
}
