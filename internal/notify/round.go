package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edgelens"
)

const (
	// page is how many things of a device are read at a time.
	page = 16
	// brokenAfter is how many failures in a row, of different devices, say
	// that the sink is away and not that it minds one device.
	brokenAfter = 3
	// lookAgain is how often the outbox is read through for no reason but to
	// be sure.
	lookAgain = time.Minute
)

// round is what one sink is being told. Its goroutine alone touches it; lanes
// report to it.
type round struct {
	*Dispatcher
	sink    Sink
	devices map[string]*device
	ended   chan report
	busy    int
	outage  outage
}

// device is what the round knows of a device.
type device struct {
	busy, more bool
	failures   int
	notBefore  time.Time
	// rejected is the thing that the sink rejected last, and how often.
	rejected   int64
	rejections int
	// asides is how many things in a row were set aside.
	asides int
}

// report is what became of a lane.
type report struct {
	device string
	told   int
	// reduced is how many of those were told without their large parts.
	reduced int
	// failed is the thing that could not be told, since when that was tried, and why
	// it could not.
	failed *edgelens.Delivery
	began  time.Time
	err    error
}

func newRound(t *Dispatcher, sink Sink) *round {
	return &round{Dispatcher: t, sink: sink, devices: map[string]*device{}, ended: make(chan report)}
}

// run tells the sink until ctx ends, and ends when its lanes have; they work as
// long as working lives.
func (r *round) run(ctx, working context.Context) {
	wake, changed, cancel := r.outbox.WatchOutbox()
	defer cancel()
	look := time.NewTimer(0) // what was there before
	defer look.Stop()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for ctx.Err() == nil {
		retry.Reset(r.begin(ctx, working))
		select {
		case <-ctx.Done():
		case report := <-r.ended:
			r.note(report)
		case <-retry.C:
		case _, open := <-wake:
			if !open {
				wake = nil // the ledger is closed; ctx will end
				continue
			}
			r.mark(changed())
		case <-look.C:
			devices, err := r.outbox.OutboxDevices(ctx, r.sink.Name())
			if err != nil && ctx.Err() == nil {
				r.log.Warn("read the outbox", "sink", r.sink.Name(), "error", err)
			}
			r.mark(devices)
			look.Reset(lookAgain)
		}
	}
	for ; r.busy > 0; r.busy-- {
		<-r.ended
	}
}

func (r *round) mark(devices []string) {
	for _, name := range devices {
		if r.devices[name] == nil {
			r.devices[name] = &device{}
		}
		r.devices[name].more = true
	}
}

// begin starts as many lanes as may run, and returns how long until another may.
func (r *round) begin(ctx, working context.Context) time.Duration {
	now, wait := time.Now(), time.Hour
	workers := r.config.Workers
	if r.outage.until.After(now) {
		return r.outage.until.Sub(now)
	}
	if r.outage.lasts() {
		workers = 1
	}
	for name, d := range r.devices {
		switch {
		case d.busy || !d.more:
		case d.notBefore.After(now) && !r.outage.lasts(): // any device may probe
			wait = min(wait, d.notBefore.Sub(now))
		case r.busy < workers:
			d.busy, d.more = true, false
			r.busy++
			go func() { r.ended <- r.worker(ctx, working, name) }() // run waits for it
		}
	}
	return wait
}

// worker tells the sink of one device until there is no more, it fails, or ctx
// ends.
func (r *round) worker(ctx, working context.Context, name string) report {
	done := report{device: name}
	for ctx.Err() == nil {
		deliveries, err := r.outbox.Outbox(ctx, r.sink.Name(), name, page)
		if err != nil || len(deliveries) == 0 {
			done.err = err
			return done
		}
		for i := 0; i < len(deliveries) && ctx.Err() == nil; i++ {
			d := &deliveries[i]
			began := time.Now()
			if err := r.deliver(working, d); err != nil {
				done.failed, done.began, done.err = d, began, err
				return done
			}
			// It is told: that must be written down even where all ends now.
			if done.err = r.outbox.Delivered(context.WithoutCancel(working), d.Seq); done.err != nil {
				return done
			}
			done.told++
			if d.Reduced {
				done.reduced++
			}
		}
	}
	return done
}

// deliver tells one thing: whole, or else without its large parts.
func (r *round) deliver(ctx context.Context, d *edgelens.Delivery) error {
	err := r.sink.Deliver(ctx, d)
	if !errors.Is(err, edgelens.ErrTooLarge) {
		return err
	}
	d.Reduced = true
	reduced := r.sink.Deliver(ctx, d)
	if errors.Is(reduced, ErrRejected) || errors.Is(reduced, edgelens.ErrTooLarge) {
		return fmt.Errorf("%w: %w, and not in a reduced form either: %w", ErrRejected, err, reduced)
	}
	if reduced == nil {
		r.log.Warn("an event is too large for its receiver and was sent reduced; it says what was left out", "sink", r.sink.Name(), "device", d.Record.Device,
			"event", d.Record.ID, "reason", err)
	}
	return reduced
}

// note takes down what became of a lane.
func (r *round) note(done report) {
	d := r.devices[done.device]
	d.busy = false
	r.busy--
	r.events.WithLabelValues(r.sink.Name(), outcomeDelivered).Add(float64(done.told))
	r.events.WithLabelValues(r.sink.Name(), outcomeReduced).Add(float64(done.reduced))
	if done.told > 0 {
		d.asides = 0
	}
	if done.told > 0 || done.err == nil {
		r.recovered(done.device, d)
	}
	if done.err == nil {
		if !d.more {
			delete(r.devices, done.device)
		}
		return
	}
	d.more = true
	d.failures++
	d.notBefore = time.Now().Add(r.backoff(d.failures))
	if done.failed == nil { // the ledger's fault
		r.log.Warn("read or write the outbox; it is tried again", "sink", r.sink.Name(), "error", done.err)
		return
	}
	r.events.WithLabelValues(r.sink.Name(), outcomeFailed).Inc()
	if errors.Is(done.err, ErrRejected) {
		r.reject(d, done)
		return
	}
	r.outage.fail(done.began, done.err, r.config)
	r.log.Debug("could not deliver; it is tried again", "sink", r.sink.Name(), "device", done.device,
		"event", done.failed.Record.ID, "tries", d.failures, "error", done.err)
	r.alarms.failed(r.sink.Name(), done.device, done.err, max(d.failures, r.outage.probes), r.log)
}

// recovered lets everybody go on at once: the sink is there.
func (r *round) recovered(name string, d *device) {
	d.failures, d.notBefore = 0, time.Time{}
	r.alarms.succeeded(r.sink.Name(), name, r.log)
	if r.outage.lasts() {
		for _, d := range r.devices {
			d.failures, d.notBefore = 0, time.Time{}
		}
	}
	r.outage = outage{}
}

// reject counts a rejection, and sets the thing aside after too many.
func (r *round) reject(d *device, done report) {
	if d.rejected != done.failed.Seq {
		d.rejected, d.rejections = done.failed.Seq, 0
	}
	d.rejections++
	attributes := []any{"sink", r.sink.Name(), "device", done.device, "event", done.failed.Record.ID, "tries", d.rejections, "error", done.err}
	if d.rejections < r.config.Rejections && d.asides == 0 {
		r.log.Warn("the receiver rejects an event; it is tried again", attributes...)
		return
	}
	if err := r.outbox.SetAside(context.Background(), done.failed.Seq, done.err.Error()); err != nil {
		r.log.Warn("writing the outbox failed; it is tried again", "sink", r.sink.Name(), "error", err)
		return
	}
	r.events.WithLabelValues(r.sink.Name(), outcomeRejected).Inc()
	r.log.Error("an event was set aside: the receiver rejects it; `edgelens outbox list` shows it, `edgelens outbox retry` sends it again", attributes...)
	d.failures, d.notBefore, d.asides = 0, time.Time{}, d.asides+1
	r.alarms.succeeded(r.sink.Name(), done.device, r.log) // it answers
}

// backoff is the wait after so many failures in a row.
func (r *round) backoff(failures int) time.Duration {
	wait := r.config.MinBackoff
	for ; failures > 1 && wait < r.config.MaxBackoff; failures-- {
		wait *= 2
	}
	wait = min(wait, r.config.MaxBackoff)
	return spread(wait)
}
