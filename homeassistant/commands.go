package homeassistant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/internal/loglimit"
)

const (
	// maxQueued is how many commands may wait; further ones are refused.
	maxQueued = 16
	// maxShown is the maximum number of bytes of a command that are logged.
	maxShown = 40
)

// addressee is a device that Home Assistant may send commands to.
type addressee struct {
	device   string
	commands []string
}

// commands takes the commands of Home Assistant. It is safe for use by many goroutines.
type commands struct {
	parts   Parts
	metrics *metrics
	limiter *loglimit.Limiter
	queue   chan received

	mu         sync.Mutex
	addressees map[string]addressee // by id
}

type received struct {
	id string
	Incoming
}

func newCommands(parts Parts, metrics *metrics) *commands {
	return &commands{parts: parts, metrics: metrics, limiter: &loglimit.Limiter{}, queue: make(chan received, maxQueued)}
}

// set sets the devices that take commands.
func (c *commands) set(addressees map[string]addressee) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addressees = addressees
}

// receive takes a command; it does not block.
func (c *commands) receive(id string, m Incoming) {
	if len(m.Payload) == 0 {
		m.Ack() // it clears a retained one
		return
	}
	select {
	case c.queue <- received{id, m}:
	default:
		c.refuse(id, m, errors.New("too many commands wait"))
		m.Ack()
	}
}

// run sends commands until ctx ends.
func (c *commands) run(ctx context.Context) {
	for {
		select {
		case m := <-c.queue:
			c.handle(ctx, m)
			m.Ack()
		case <-ctx.Done():
			return
		}
	}
}

func (c *commands) handle(ctx context.Context, m received) {
	addressee, err := c.check(m)
	if m.Retained {
		c.clear(ctx, m.Topic)
	}
	if err != nil {
		c.refuse(m.id, m.Incoming, err)
		return
	}
	command, err := c.parts.Commander.Send(ctx, addressee.device, commandBody(string(m.Payload)), 0)
	if err != nil {
		c.refuse(m.id, m.Incoming, err)
		return
	}
	c.metrics.commands.WithLabelValues(commandAccepted).Inc()
	c.parts.Log.Info("access", "event", "access", "action", "change", "client", "Home Assistant", "path", "/api/devices/"+addressee.device+"/commands",
		"command", command.ID, "body", string(command.Body))
}

// check returns the device of a command. A retained one, and one that waited, would be carried out later than it was
// meant, perhaps again and again: a door must not open then.
func (c *commands) check(m received) (addressee, error) {
	c.mu.Lock()
	to, known := c.addressees[m.id]
	c.mu.Unlock()
	switch {
	case m.Retained:
		return to, fmt.Errorf("%w: it is retained", edgelens.ErrInvalid)
	case m.Waited:
		return to, fmt.Errorf("%w: it may have waited at the broker", edgelens.ErrInvalid)
	case !known:
		return to, fmt.Errorf("%w: there is no such device", edgelens.ErrNotFound)
	case !slices.Contains(to.commands, string(m.Payload)):
		return to, fmt.Errorf("%w: the device does not have it, or homeassistant.commands does not", edgelens.ErrInvalid)
	}
	return to, nil
}

// clear has the broker forget a retained command.
func (c *commands) clear(ctx context.Context, topic string) {
	if err := c.parts.Broker.Publish(ctx, topic, nil, true); err != nil && ctx.Err() == nil {
		c.parts.Log.Warn("removing a retained command failed", "error", err)
	}
}

func (c *commands) refuse(id string, m Incoming, why error) {
	c.metrics.commands.WithLabelValues(commandRefused).Inc()
	if suppressed, ok := c.limiter.Pass(id, time.Now()); ok {
		c.parts.Log.Warn("a command of Home Assistant was refused", "event", "homeassistant_command_refused", "id", clip.ASCII(id, maxEncoded),
			"command", clip.ASCII(string(m.Payload), maxShown), "retained", m.Retained, "suppressed", suppressed, "error", why)
	}
}
