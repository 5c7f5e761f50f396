package supervise

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// checksPerSilence is how many checks in a row must fail for a child to count as hung. More than one, because the
// machine may have been suspended, and this process with it.
const checksPerSilence = 5

// watchAlive checks periodically whether the child is alive, until the function is called, which waits for the last
// check. A child that has not answered for Silence is reported, once.
func (c *child) watchAlive() (silence <-chan error, stop func()) {
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

// awaitSilence returns when checksPerSilence checks in a row had no answer, with the last error, or when ctx ends.
func (c *child) awaitSilence(ctx context.Context) error {
	interval := c.spec.Silence / checksPerSilence
	tick := time.NewTicker(interval)
	defer tick.Stop()
	missed := 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := c.checkAlive(ctx, interval)
		if err == nil {
			missed = 0
			continue
		}
		if missed++; missed == checksPerSilence {
			return err
		}
	}
}

// checkAlive checks once whether the child answers anything.
func (c *child) checkAlive(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.spec.Alive(ctx)
}
