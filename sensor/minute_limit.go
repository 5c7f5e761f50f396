package sensor

import (
	"sync"
	"time"
)

// minuteLimit allows a number of something in each minute. It is safe for use by many
// goroutines.
type minuteLimit struct {
	limit int

	mu    sync.Mutex
	began time.Duration
	n     int
}

// take reports whether one more is allowed at a time of the arrival clock; first is set for the
// first in a minute that is not.
func (m *minuteLimit) take(now time.Duration) (ok, first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now-m.began >= time.Minute {
		m.began, m.n = now, 0
	}
	m.n++
	return m.n <= m.limit, m.n == m.limit+1
}
