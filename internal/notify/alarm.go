package notify

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// alarmAfter is the number of consecutive failures of one device that raise the
// alarm: fewer may be a receiver that restarts.
const alarmAfter = 3

// Alarm is a sink to which deliveries keep failing.
type Alarm struct {
	Sink string
	// Since is the time of the first failure.
	Since time.Time
	// Reason is the last error.
	Reason string
}

// alarms holds the failing sinks. It is safe for use by many goroutines.
type alarms struct {
	mu    sync.Mutex
	sinks map[string]*failing
}

// failing is a sink with failed deliveries. It is bounded by the devices.
type failing struct {
	devices map[string]bool
	since   time.Time
	reason  string
	raised  bool
}

// failed records a failure. It logs the first one of a sink, and the one that raises
// the alarm.
func (a *alarms) failed(sink, device string, err error, inARow int, log *slog.Logger) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sinks == nil {
		a.sinks = map[string]*failing{}
	}
	f := a.sinks[sink]
	if f == nil {
		f = &failing{devices: map[string]bool{}, since: time.Now()}
		a.sinks[sink] = f
		log.Warn("delivery failed, retrying", "sink", sink, "device", device, "error", err)
	}
	f.devices[device], f.reason = true, err.Error()
	if inARow >= alarmAfter && !f.raised {
		f.raised = true
		log.Error("deliveries keep failing; events stay in the outbox and are retried", "event", "delivery_failing", "sink", sink, "error", err)
	}
}

// succeeded records that the sink accepted an event of the device.
func (a *alarms) succeeded(sink, device string, log *slog.Logger) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.sinks[sink]
	if f == nil {
		return
	}
	delete(f.devices, device)
	if len(f.devices) > 0 {
		return
	}
	delete(a.sinks, sink)
	log.Info("deliveries resumed", "event", "delivery_recovered", "sink", sink, "after", time.Since(f.since))
}

// Alarms returns the sinks whose alarm is raised, by name.
func (t *Dispatcher) Alarms() (all []Alarm) {
	t.alarms.mu.Lock()
	defer t.alarms.mu.Unlock()
	for sink, f := range t.alarms.sinks {
		if f.raised {
			all = append(all, Alarm{Sink: sink, Since: f.since, Reason: f.reason})
		}
	}
	slices.SortFunc(all, func(a, b Alarm) int { return strings.Compare(a.Sink, b.Sink) })
	return all
}
