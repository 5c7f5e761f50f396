package notify

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// alarmAfter is how many failures in a row of one device raise the alarm: fewer
// may be a receiver that starts anew.
const alarmAfter = 3

// Alarm is a sink that does not take what it is told.
type Alarm struct {
	Sink string
	// Since is when it began.
	Since time.Time
	// Reason is what it answered last.
	Reason string
}

// alarms are those of every sink. They are safe for use by many goroutines.
type alarms struct {
	mu    sync.Mutex
	sinks map[string]*failing
}

// failing is a sink that does not take something. It is bounded by the devices.
type failing struct {
	devices map[string]bool
	since   time.Time
	reason  string
	raised  bool
}

// failed takes down a failure, and logs the first one, and when it becomes an
// alarm.
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
		log.Warn("could not deliver; it is tried again", "sink", sink, "device", device, "error", err)
	}
	f.devices[device], f.reason = true, err.Error()
	if inARow >= alarmAfter && !f.raised {
		f.raised = true
		log.Error("events are not delivered; they are kept and tried again, and nothing is dropped", "sink", sink, "error", err)
	}
}

// succeeded takes down that a device's event was taken.
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
	log.Info("deliveries go on", "sink", sink, "after", time.Since(f.since).Round(time.Millisecond))
}

// Alarms returns the sinks that have not taken something for a while, by name.
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
