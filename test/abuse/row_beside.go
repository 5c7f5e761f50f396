package main

import (
	"context"
	"fmt"
	"time"
)

const (
	bombers = 6
	// think is the pause of an ordinary client between its requests.
	think = 50 * time.Millisecond
	// slower is how many times as slow an ordinary client or a door may become.
	slower = 2
)

// besideRow measures an ordinary client alone, and beside six that send bombs.
func besideRow(ctx context.Context, b *bench, s *service) error {
	bombs := b.bombs()
	alone, err := b.unloaded(ctx, s, "beside", think, 2*b.plan.window)
	if err != nil {
		return err
	}
	a := newAttack(ctx)
	defer a.stop()
	a.throwBombs(b, s, bombers, bombs)
	pause(ctx, time.Second)
	c := b.crowd(s, 1)
	c.think = think
	beside, err := b.closed(ctx, s, "beside", "one client beside six bombers", c, 2*b.plan.window)
	if err != nil {
		return err
	}
	a.stop()
	ratio := beside.P99 / alone.P99
	if beside.good() == 0 {
		ratio = notANumber
	}
	b.results.atMost("beside", "p99 of a client beside six bombers", times, ratio, slower,
		fmt.Sprintf("%.0f ms, alone %.0f ms; of %d requests; %d bombs answered, %d not", beside.P99, alone.P99, beside.Samples, a.answers.Load(), a.failures.Load()))
	b.results.atMost("beside", "its requests that were not served", count, float64(beside.Samples-beside.good()), 0, fmt.Sprintf("of %d", beside.Samples))
	return nil
}
