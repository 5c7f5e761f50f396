package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"edgelens/internal/backoff"

	"edgelens"
)

const (
	// pageSize is the number of entries of a device that are delivered before it is the turn of another.
	pageSize = 16
	// brokenAfter is the number of consecutive failures, of different devices, from
	// which on the sink is considered down rather than one device rejected.
	brokenAfter = 3
	// scanInterval is how often the whole outbox is read as a safeguard against a
	// missed wakeup.
	scanInterval = time.Minute
)

// sinkLoop delivers to one sink. Only its goroutine touches it; workers send it
// reports.
type sinkLoop struct {
	*Dispatcher
	sink    Sink
	devices map[string]*device
	ended   chan report
	busy    int
	outage  outage
	// turns counts the times that a device was added to those that wait for their turn.
	turns uint64
}

// device is the delivery state of a device.
type device struct {
	busy, more bool
	// turn is its place among the devices that wait: lower ones are served first.
	turn      uint64
	failures  int
	notBefore time.Time
	// rejected is the entry that the sink rejected last, rejections how often.
	rejected   int64
	rejections int
	// asides is the number of consecutive entries that were set aside.
	asides int
	// tried is the entry that failed last, tries how often since the start.
	tried int64
	tries int
}

// report is the result of a worker.
type report struct {
	device string
	// more is true where the device may have more entries.
	more      bool
	delivered int
	// reduced is how many of those were delivered without their large parts.
	reduced int
	// failed is the entry that could not be delivered, began the start of the attempt,
	// and err its error.
	failed *edgelens.Delivery
	began  time.Time
	err    error
}

func newSinkLoop(t *Dispatcher, sink Sink) *sinkLoop {
	return &sinkLoop{Dispatcher: t, sink: sink, devices: map[string]*device{}, ended: make(chan report)}
}

// run delivers until ctx ends, and returns once its workers have ended; working
// bounds their deliveries.
func (r *sinkLoop) run(ctx, working context.Context) {
	wake, changed, cancel := r.outbox.WatchOutbox()
	defer cancel()
	look := time.NewTimer(0) // entries of earlier runs
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
				wake = nil // the ledger is closed; ctx ends soon
				continue
			}
			r.mark(changed())
		case <-look.C:
			devices, err := r.outbox.OutboxDevices(ctx, r.sink.Name())
			if err != nil && ctx.Err() == nil {
				r.log.Warn("reading the outbox failed, retrying", "sink", r.sink.Name(), "error", err)
			}
			r.mark(devices)
			look.Reset(scanInterval)
		}
	}
	for ; r.busy > 0; r.busy-- {
		<-r.ended
	}
}

func (r *sinkLoop) mark(devices []string) {
	for _, name := range devices {
		if r.devices[name] == nil {
			r.devices[name] = &device{turn: r.nextTurn()}
		}
		r.devices[name].more = true
	}
}

// nextTurn returns the place of a device behind all others.
func (r *sinkLoop) nextTurn() uint64 {
	r.turns++
	return r.turns
}

// begin starts as many workers as may run, and returns the wait until another may.
func (r *sinkLoop) begin(ctx, working context.Context) time.Duration {
	now, wait := time.Now(), time.Hour
	workers := r.config.Workers
	if r.outage.until.After(now) {
		return r.outage.until.Sub(now)
	}
	if r.outage.lasts() {
		workers = 1
	}
	names := slices.SortedFunc(maps.Keys(r.devices), func(a, b string) int { return cmp.Compare(r.devices[a].turn, r.devices[b].turn) })
	for _, name := range names {
		switch d := r.devices[name]; {
		case d.busy || !d.more:
		case d.notBefore.After(now) && !r.outage.lasts(): // any device may probe
			wait = min(wait, d.notBefore.Sub(now))
		case r.busy < workers:
			d.busy, d.more = true, false
			r.busy++
			tried, tries := d.tried, d.tries
			go func() { r.ended <- r.worker(ctx, working, name, tried, tries) }() // run waits for it
		}
	}
	return wait
}

// worker delivers a page of the entries of one device, until one fails or ctx ends. tries is how often the entry tried
// failed before.
func (r *sinkLoop) worker(ctx, working context.Context, name string, tried int64, tries int) report {
	done := report{device: name}
	deliveries, err := r.outbox.Outbox(ctx, r.sink.Name(), name, pageSize)
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
		// The entry is delivered: record that even where ctx ends now.
		took := time.Since(began)
		if done.err = r.outbox.Delivered(context.WithoutCancel(working), d.Seq); done.err != nil {
			return done
		}
		attempts := 1
		if d.Seq == tried {
			attempts += tries
		}
		r.logDelivered(d, attempts, took)
		done.delivered++
		if d.Reduced {
			done.reduced++
		}
	}
	done.more = len(deliveries) == pageSize
	return done
}

// deliver delivers one entry: whole, or else without its large parts.
func (r *sinkLoop) deliver(ctx context.Context, d *edgelens.Delivery) error {
	err := r.attempt(ctx, d)
	if !errors.Is(err, edgelens.ErrTooLarge) {
		return err
	}
	d.Reduced = true
	reduced := r.attempt(ctx, d)
	if errors.Is(reduced, ErrRejected) || errors.Is(reduced, edgelens.ErrTooLarge) {
		return fmt.Errorf("%w: %w, and not in a reduced form either: %w", ErrRejected, err, reduced)
	}
	if reduced == nil {
		r.log.Warn("an event was too large for its receiver and was delivered without its large parts, which it names", "sink", r.sink.Name(), "device", d.Record.Device,
			"record", d.Record.ID, "reason", err)
	}
	return reduced
}

// note accounts for the report of a worker.
func (r *sinkLoop) note(done report) {
	d := r.devices[done.device]
	d.busy, d.turn = false, r.nextTurn()
	d.more = d.more || done.more
	r.busy--
	r.events.WithLabelValues(r.sink.Name(), outcomeDelivered).Add(float64(done.delivered))
	r.events.WithLabelValues(r.sink.Name(), outcomeReduced).Add(float64(done.reduced))
	if done.delivered > 0 {
		d.asides = 0
	}
	if done.delivered > 0 || done.err == nil {
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
	if done.failed != nil {
		d.noteTry(done.failed.Seq)
	}
	d.notBefore = time.Now().Add(r.backoff(d.failures))
	if done.failed == nil { // an error of the ledger
		r.log.Warn("reading or writing the outbox failed, retrying", "sink", r.sink.Name(), "error", done.err)
		return
	}
	r.events.WithLabelValues(r.sink.Name(), outcomeFailed).Inc()
	r.outbox.Failed(done.failed.Seq, done.err.Error())
	if errors.Is(done.err, ErrRejected) {
		r.reject(d, done)
		return
	}
	r.outage.fail(done.began, done.err, r.config)
	r.log.Debug("delivery failed, retrying",
		append(deliveryAttributes(done.failed, d.tries, time.Since(done.began)), "error", done.err)...)
	r.alarms.failed(r.sink.Name(), done.device, done.err, max(d.failures, r.outage.probes), r.log)
}

// recovered resets the waits of all devices: the sink is up.
func (r *sinkLoop) recovered(name string, d *device) {
	d.failures, d.notBefore = 0, time.Time{}
	r.alarms.succeeded(r.sink.Name(), name, r.log)
	if r.outage.lasts() {
		for _, d := range r.devices {
			d.failures, d.notBefore = 0, time.Time{}
		}
	}
	r.outage = outage{}
}

// reject counts a rejection, and sets the entry aside after too many.
func (r *sinkLoop) reject(d *device, done report) {
	if d.rejected != done.failed.Seq {
		d.rejected, d.rejections = done.failed.Seq, 0
	}
	d.rejections++
	attributes := append(deliveryAttributes(done.failed, d.tries, time.Since(done.began)), "rejections", d.rejections, "error", done.err)
	if d.rejections < r.config.Rejections && d.asides == 0 {
		r.log.Warn("the receiver rejected an event, retrying", attributes...)
		return
	}
	if err := r.outbox.SetAside(context.Background(), done.failed.Seq, done.err.Error()); err != nil {
		r.log.Warn("writing the outbox failed, retrying", "sink", r.sink.Name(), "error", err)
		return
	}
	r.events.WithLabelValues(r.sink.Name(), outcomeRejected).Inc()
	r.log.Error("an event was set aside because the receiver rejects it; list it with `edgelens outbox list`, send it again with `edgelens outbox retry`", append(attributes, "event", "event_set_aside", "outcome", outcomeRejected)...)
	d.failures, d.notBefore, d.asides = 0, time.Time{}, d.asides+1
	r.alarms.succeeded(r.sink.Name(), done.device, r.log) // the sink is up
}

// backoff returns the wait after that many consecutive failures.
func (r *sinkLoop) backoff(failures int) time.Duration {
	return backoff.After(failures, r.config.MinBackoff, r.config.MaxBackoff)
}
