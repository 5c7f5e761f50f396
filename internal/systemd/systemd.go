// Package systemd reports the state of this process to systemd, where that started it as a unit of Type=notify
// (sd_notify(3)). Started by anything else, it does nothing.
package systemd

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is the service manager that started this process; nil where that is not systemd. It is safe for use by many
// goroutines. Errors are logged: a service that cannot report works all the same, until systemd gives up on it.
type Manager struct {
	log      *slog.Logger
	watchdog time.Duration

	mu sync.Mutex
	// status is that of the last Ready; "" before it, and again once the service stops.
	status string
}

// Find returns the manager that the environment of this process names.
func Find(log *slog.Logger) *Manager {
	m := &Manager{log: log}
	timeout, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd's watchdog cannot be served", "event", "watchdog_unknown", "error", err)
	}
	m.watchdog = timeout
	return m
}

// WatchdogTimeout returns the time without a call of Alive after which systemd ends this process; 0 where it does not.
func (m *Manager) WatchdogTimeout() time.Duration {
	if m == nil {
		return 0
	}
	return m.watchdog
}

// Ready reports that the service serves; status is a line for `systemctl status`.
func (m *Manager) Ready(status string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = status
	m.send(daemon.SdNotifyReady + "\nSTATUS=" + status)
}

// Reloading reports that the service reads its settings again, which `systemctl status` shows, and returns a function that
// reports that it has done so. Both report nothing while the service is not ready: that would end its start.
func (m *Manager) Reloading() (done func()) {
	if m == nil {
		return func() {}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.status == "" {
		return func() {}
	}
	m.send(daemon.SdNotifyReloading + "\n" + strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
	return m.reloaded
}

// reloaded reports that the service is ready again, unless it stops by now.
func (m *Manager) reloaded() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.status != "" {
		m.send(daemon.SdNotifyReady + "\nSTATUS=" + m.status)
	}
}

// Alive reports that the service works.
func (m *Manager) Alive() { m.send(daemon.SdNotifyWatchdog) }

// Stopping reports that the service stops, which may take that long beyond what the unit allows.
func (m *Manager) Stopping(within time.Duration) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = ""
	m.send(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, within.Microseconds()))
}

func (m *Manager) send(state string) {
	if m == nil {
		return
	}
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.log.Warn("reporting to systemd failed", "event", "systemd_unreachable", "state", state, "error", err)
	}
}
