package supervise

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// asksPerSilence is how many questions in a row a child that hangs leaves
// without an answer. More than one, because a machine that stood still for a
// while, and we with it, is no child that hangs.
const asksPerSilence = 5

// listen asks the child again and again whether it is alive, until the function
// is called, which waits for the last question. A child that has not answered
// for Silence is reported, once.
func (c *child) listen() (silence <-chan error, stop func()) {
	reports := make(chan error, 1)
	if c.spec.Alive == nil {
		return reports, func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	asking.Go(func() {
		if err := c.awaitSilence(ctx); ctx.Err() == nil {
			reports <- fmt.Errorf("it hung, without an answer for %v (%w), and was killed; its last lines: %s",
				c.spec.Silence, err, strings.Join(c.lines.last(), " | "))
		}
	})
	return reports, func() { cancel(); asking.Wait() }
}

// awaitSilence returns when asksPerSilence questions in a row had no answer,
// with the last reason, or when ctx ends.
func (c *child) awaitSilence(ctx context.Context) error {
	interval := c.spec.Silence / asksPerSilence
	tick := time.NewTicker(interval)
	defer tick.Stop()
	missed := 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := c.ask(ctx, interval)
		if err == nil {
			missed = 0
			continue
		}
		if missed++; missed == asksPerSilence {
			return err
		}
	}
}

// ask asks once whether the child answers anything.
func (c *child) ask(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.spec.Alive(ctx)
}
