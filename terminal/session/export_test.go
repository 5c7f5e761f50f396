package session

import (
	"log/slog"
	"time"
)

// StartImpatient is Start for tests that wait for a broker that hangs.
func StartImpatient(config Config, log *slog.Logger) (*Session, error) {
	return start(config, log, limits{dial: 200 * time.Millisecond, write: 300 * time.Millisecond, keepAlive: time.Second})
}
