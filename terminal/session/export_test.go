package session

import (
	"log/slog"
	"time"
)

// StartImpatient is Start for tests that wait for a broker that hangs.
func StartImpatient(config Config, log *slog.Logger) (*Session, error) {
	return start(config, log, limits{dial: 200 * time.Millisecond, write: 300 * time.Millisecond, keepAlive: time.Second}, newPauseDetector(systemClocks, pauseTick, pauseLate))
}

// StartPaused is Start for tests that say what the clocks show.
func StartPaused(config Config, log *slog.Logger, clocks func() (time.Duration, time.Time)) (*Session, error) {
	return start(config, log, defaultLimits(), newPauseDetector(clocks, pauseTick, pauseLate))
}

// StartWatchful is Start for tests that stop the process for a second.
func StartWatchful(config Config, log *slog.Logger) (*Session, error) {
	return start(config, log, defaultLimits(), newPauseDetector(systemClocks, 50*time.Millisecond, 300*time.Millisecond))
}
