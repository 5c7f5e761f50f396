package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

var notANumber = math.NaN()

// goodputs are the wanted shares of the peak, by the number of connections. What two measurements of the same service
// differ by is tolerated.
var goodputs = []struct {
	connections int
	wanted      float64
}{{8, 1}, {64, 0.95}, {256, 0.9}}

// tolerance is the difference between two windows of the same load on a quiet machine.
const tolerance = 0.03

// peakConnections keep every interpreter busy, with one image that is being read for each.
const peakConnections = 2 * interpreters

// goodputRow measures closed loops, which take turns.
func goodputRow(ctx context.Context, b *bench, s *service) error {
	shares := map[int][]float64{}
	notes := map[int]string{}
	for range b.plan.rounds {
		peak := 0.0
		for _, connections := range []int{interpreters, peakConnections} {
			load, err := b.closed(ctx, s, "goodput", fmt.Sprintf("%d connections", connections), b.crowd(s, connections), b.plan.window)
			if err != nil {
				return err
			}
			peak = max(peak, load.Goodput)
		}
		for _, g := range goodputs {
			load, err := b.closed(ctx, s, "goodput", fmt.Sprintf("%d connections", g.connections), b.crowd(s, g.connections), b.plan.window)
			if err != nil {
				return err
			}
			shares[g.connections] = append(shares[g.connections], load.Goodput/peak)
			notes[g.connections] = fmt.Sprintf("%.1f/s, peak %.1f/s; served %.1f%% of the requests, p99 %.0f ms", load.Goodput, peak, load.served(), load.P99)
			s.settle(ctx, settleTimeout)
		}
	}
	hurried := b.crowd(s, 256)
	for _, client := range hurried.clients {
		client.timeout = time.Second
	}
	load, err := b.closed(ctx, s, "goodput", "256 connections that give up after a second", hurried, b.plan.window)
	if err != nil {
		return err
	}
	b.results.note("256 clients that give up after a second get %.1f right answers a second, which has no bound here", load.Goodput)
	for _, g := range goodputs {
		share := median(shares[g.connections])
		b.results.add(figure{Row: "goodput", Name: fmt.Sprintf("of the peak, %d connections", g.connections), Value: share, Unit: times, Wanted: g.wanted,
			AtLeast: true, Met: share >= g.wanted-tolerance, Note: notes[g.connections] + fmt.Sprintf("; %.0f%% are tolerated", 100*tolerance)})
	}
	return nil
}

const (
	// overload is the rate of an open loop as a multiple of the peak, and overloaders its maximum number of clients: more
	// than a service with default settings lets wait.
	overload    = 10
	overloaders = 2048
)

// peak is the goodput of a service that is just busy.
func (b *bench) peak(ctx context.Context, s *service, row string) (float64, error) {
	load, err := b.closed(ctx, s, row, "peak", b.crowd(s, peakConnections), b.plan.window)
	return load.Goodput, err
}

// openRow measures an open loop at ten times the peak.
func openRow(ctx context.Context, b *bench, s *service) error {
	var goodput, admitted, refusals []float64
	var note string
	for range b.plan.rounds {
		alone, err := b.unloaded(ctx, s, "open", 0, b.plan.window)
		if err != nil {
			return err
		}
		peak, err := b.peak(ctx, s, "open")
		if err != nil {
			return err
		}
		load, err := b.open(ctx, s, "open", "ten times the peak", overloaders, overload*peak, b.plan.window)
		if err != nil {
			return err
		}
		s.settle(ctx, settleTimeout)
		after, err := b.peak(ctx, s, "open")
		if err != nil {
			return err
		}
		// Shared machines become faster and slower by a tenth within a minute: the peak is that of before and after.
		goodput, admitted = append(goodput, 2*load.Goodput/(peak+after)), append(admitted, load.P99/alone.P99)
		if load.good() == 0 {
			admitted[len(admitted)-1] = notANumber
		}
		if load.Statuses["503"]+load.Statuses["429"] > 0 {
			refusals = append(refusals, load.Refused)
		}
		note = fmt.Sprintf("%.0f requests a second, %.1f/s answered well; alone p99 %.1f ms, admitted %.0f ms; sent %.0f ms late (p99)", overload*peak, load.Goodput, alone.P99, load.P99, load.Late)
	}
	b.results.atLeast("open", "goodput of the peak, at ten times as many requests", times, median(goodput), 0.9, note)
	b.results.atMost("open", "p99 of the admitted, of that of a client alone", times, median(admitted), 2.5, note)
	b.results.atMost("open", "p99 of refusals", ms, median(refusals), 15, "from sending until the whole answer")
	return nil
}

const crowded = 64

// doorsRow measures doors alone, and beside crowds.
func doorsRow(ctx context.Context, b *bench, s *service) error {
	d, err := b.openDoors(ctx, s)
	if err != nil {
		return err
	}
	defer d.close()
	if _, err := d.measure(ctx, "doors", "first records", 2*time.Second); err != nil {
		return err
	}
	peak, err := b.peak(ctx, s, "doors")
	if err != nil {
		return err
	}
	alone, err := d.measure(ctx, "doors", "doors alone", b.plan.doors)
	if err != nil {
		return err
	}
	for _, crowd := range []struct {
		name  string
		begin func(a *attack)
	}{
		{fmt.Sprintf("%d connections", crowded), func(a *attack) { a.besiege(b, s, crowded) }},
		{"ten times as many requests as can be answered", func(a *attack) {
			a.group.Go(func() { // until the doors are measured, and then what is under way
				_, _ = b.open(a.ctx, s, "doors", "crowd", overloaders, overload*peak, b.plan.doors+10*time.Second) // the doors show its errors
			})
		}},
	} {
		a := newAttack(ctx)
		crowd.begin(a)
		pause(ctx, time.Second)
		beside, err := d.measure(ctx, "doors", "doors beside "+crowd.name, b.plan.doors)
		a.stop()
		if err != nil {
			return err
		}
		b.results.atMost("doors", "p99 of events beside "+crowd.name, times, beside.P99/alone.P99, slower,
			fmt.Sprintf("%.0f ms, alone %.0f ms; at most %.0f ms; %d of %d events arrived", beside.P99, alone.P99, beside.Max, beside.good(), beside.Samples))
		if err := s.mustLive(); err != nil {
			return err
		}
		s.settle(ctx, settleTimeout)
	}
	return nil
}
