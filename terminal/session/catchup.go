package session

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// catchUpTimeout is how long after a reconnect messages count as possibly delayed, at
// most.
const catchUpTimeout = 30 * time.Second

// catchUp distinguishes messages that waited at the broker, or in the buffers of the
// connection, while we were disconnected or paused from those that arrive now. The broker
// delivers our messages in the order of their arrival, so we send a marker to ourselves:
// messages before it may have waited.
type catchUp struct {
	mu sync.Mutex
	// gap is how long we were disconnected or paused, until the time at which that is
	// forgotten; zero once the marker has arrived.
	gap   time.Duration
	until time.Time
	// lost is the end of the last connection; zero before the first.
	lost   time.Time
	marker string
}

// begin is called before a connection attempt. lasting is how long the broker may have
// kept messages for us.
func (c *catchUp) begin(lasting time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gap, c.until, c.marker = lasting, time.Now().Add(catchUpTimeout), rand.Text()
	if !c.lost.IsZero() {
		c.gap = min(lasting, time.Since(c.lost))
	}
}

// paused is called after a pause of the process: messages may have waited meanwhile in the
// buffers of the connection, or at the broker.
func (c *catchUp) paused(lasting time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.marker = time.Now().Add(catchUpTimeout), rand.Text()
	c.gap = max(c.gap, lasting)
}

// nothingWaited is called where the broker has kept nothing.
func (c *catchUp) nothingWaited() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gap = 0
}

func (c *catchUp) disconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = time.Now()
}

// waited returns how long a message that arrives now may have waited, at most.
func (c *catchUp) waited() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gap == 0 || time.Now().After(c.until) {
		return 0
	}
	return c.gap
}

// reached is called with a received marker: after the latest one, no message has waited.
func (c *catchUp) reached(marker []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if string(marker) == c.marker {
		c.gap = 0
	}
}

// mark sends the marker. If that fails, catchUpTimeout ends the catch-up.
func (s *Session) mark(ctx context.Context) {
	s.catchUp.mu.Lock()
	marker := s.catchUp.marker
	s.catchUp.mu.Unlock()
	_, _ = s.connection().Publish(ctx, &paho.Publish{Topic: s.config.Marker, Payload: []byte(marker), QoS: 1})
}
