package supervise

import (
	"time"

	"edgelens/internal/backoff"
)

// Backoff is the delay before a child is restarted. The delay doubles from Min to Max; a random part of up to half of
// it is subtracted, so that many devices that lost power together do not restart in step.
type Backoff struct {
	// Min is the first delay (default 100ms), Max the longest (default 10s).
	Min, Max time.Duration
	// Reset is how long a child must have been up for the next delay to be Min again (default 30s).
	Reset time.Duration
}

func (b Backoff) withDefaults() Backoff {
	if b.Min == 0 {
		b.Min = 100 * time.Millisecond
	}
	if b.Max == 0 {
		b.Max = 10 * time.Second
	}
	if b.Reset == 0 {
		b.Reset = 30 * time.Second
	}
	return b
}

// wait returns the delay after that many exits in a row, at least 1.
func (b Backoff) wait(exits int) time.Duration {
	return backoff.After(exits, b.Min, b.Max)
}
