package session

import (
	"log/slog"
	"time"
)

// StartWithShortTimeouts is Start for tests with a broker that hangs.
func StartWithShortTimeouts(config Config, log *slog.Logger) (*Session, error) {
	return start(config, log, limits{dial: 200 * time.Millisecond, write: 300 * time.Millisecond, keepAlive: time.Second}, newPauseDetector(systemClocks, pauseTick, pauseLate))
}

// StartWithClocks is Start with clocks that the test sets.
func StartWithClocks(config Config, log *slog.Logger, clocks func() (time.Duration, time.Time)) (*Session, error) {
	return start(config, log, defaultLimits(), newPauseDetector(clocks, pauseTick, pauseLate))
}

// StartWithShortPauses is Start for tests that stop the process for a second.
func StartWithShortPauses(config Config, log *slog.Logger) (*Session, error) {
	return start(config, log, defaultLimits(), newPauseDetector(systemClocks, 50*time.Millisecond, 300*time.Millisecond))
}
