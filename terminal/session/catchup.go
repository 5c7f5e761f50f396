package session

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// catchUpTimeout is how long after a reconnect messages are at most taken for
// ones that have waited.
const catchUpTimeout = 30 * time.Second

// catchUp tells messages that waited at the broker, or in the buffers of the connection,
// while we were away or paused from those that come now. The broker hands on what is for
// us in the order in which it came, so we send a marker to ourselves: what comes before it
// may have waited.
type catchUp struct {
	mu sync.Mutex
	// away is how long we were, and until when it counts; zero once the marker
	// has come.
	away  time.Duration
	until time.Time
	// lost is when the last connection ended; zero before the first.
	lost   time.Time
	marker string
}

// begin is called before there is a connection. lasting is how long the broker
// may have kept messages for us.
func (c *catchUp) begin(lasting time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away, c.until, c.marker = lasting, time.Now().Add(catchUpTimeout), rand.Text()
	if !c.lost.IsZero() {
		c.away = min(lasting, time.Since(c.lost))
	}
}

// paused is called after a pause of the process: what has come meanwhile has waited in
// the buffers of the connection, or at the broker.
func (c *catchUp) paused(lasting time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.marker = time.Now().Add(catchUpTimeout), rand.Text()
	c.away = max(c.away, lasting)
}

// nothingWaited is called where the broker has kept nothing, or has handed it on.
func (c *catchUp) nothingWaited() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = 0
}

func (c *catchUp) disconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = time.Now()
}

// waited is how long a message that comes now may have waited at most.
func (c *catchUp) waited() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away == 0 || time.Now().After(c.until) {
		return 0
	}
	return c.away
}

// reached is called with a marker that has come back: if it is the last one, nothing has
// waited any more.
func (c *catchUp) reached(marker []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if string(marker) == c.marker {
		c.away = 0
	}
}

// mark sends the marker. Where it cannot, the timeout does.
func (s *Session) mark(ctx context.Context) {
	s.catchUp.mu.Lock()
	marker := s.catchUp.marker
	s.catchUp.mu.Unlock()
	_, _ = s.connection().Publish(ctx, &paho.Publish{Topic: s.config.Marker, Payload: []byte(marker), QoS: 1})
}
