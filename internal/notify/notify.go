// Package notify delivers the entries of the outbox to sinks. For each sink and
// device it delivers in order, one entry at a time, and retries each until the sink
// has confirmed it; different devices and different sinks are independent.
//
// Delivery is at least once. An entry is delivered again only where the process
// died or the confirmation was lost before the outbox removed it; the repetition has
// the same id.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// ErrRejected: the sink understood the event and will never accept it. It is tried
// once or twice more, then set aside, so that it does not block the later events of
// its device. The same applies to an edgelens.ErrTooLarge after a reduced form was
// tried.
var ErrRejected = errors.New("the receiver rejects the event")

// A Sink is a destination of events.
type Sink interface {
	// Name is the sink's name in the outbox.
	Name() string
	// Deliver delivers one entry and returns nil once the sink has confirmed it.
	// Errors other than ErrRejected and edgelens.ErrTooLarge may be temporary; after
	// the latter it is called again with d.Reduced. It sends d.Trace along, and sets
	// d.Status. It is called by many goroutines, but for each device by one at a time.
	Deliver(ctx context.Context, d *edgelens.Delivery) error
}

// Outbox holds the undelivered entries; package ledger implements it.
type Outbox interface {
	WatchOutbox() (wake <-chan struct{}, devices func() []string, cancel func())
	OutboxDevices(ctx context.Context, sink string) ([]string, error)
	Outbox(ctx context.Context, sink, device string, limit int) ([]edgelens.Delivery, error)
	Delivered(ctx context.Context, seqs ...int64) error
	// Failed notes that an entry could not be delivered, and why; it is quick.
	Failed(seq int64, reason string)
	// SetAside keeps an entry, but takes it out of its device's order.
	SetAside(ctx context.Context, seq int64, reason string) error
}

// Config is how events are delivered.
type Config struct {
	// Workers is the maximum number of devices that a sink serves concurrently.
	Workers int
	// MinBackoff and MaxBackoff bound the wait after a failure, which doubles with
	// each failure and is jittered by up to a half.
	MinBackoff, MaxBackoff time.Duration
	// Rejections is the number of rejections after which an entry is set aside. The
	// entry right after one that was set aside is tried once.
	Rejections int
}

// DefaultConfig serves 16 devices at a time and waits between 1 s and 1 min.
func DefaultConfig() Config {
	return Config{Workers: 16, MinBackoff: time.Second, MaxBackoff: time.Minute, Rejections: 2}
}

// Validate reports every invalid setting at once, each with its name.
func (c Config) Validate() error {
	var errs []error
	if c.Workers < 1 || c.Workers > 1000 {
		errs = append(errs, fmt.Errorf("workers must be 1 to 1000, not %d", c.Workers))
	}
	if c.MinBackoff < time.Millisecond || c.MinBackoff > c.MaxBackoff || c.MaxBackoff > time.Hour {
		errs = append(errs, fmt.Errorf("min_backoff and max_backoff must be 1ms to 1h and in order, not %v and %v", c.MinBackoff, c.MaxBackoff))
	}
	if c.Rejections < 1 || c.Rejections > 1000 {
		errs = append(errs, fmt.Errorf("rejections must be 1 to 1000, not %d", c.Rejections))
	}
	return errors.Join(errs...)
}

// Dispatcher delivers to one or more sinks, between Start and Stop.
type Dispatcher struct {
	outbox Outbox
	config Config
	tracer edgelens.Tracer
	log    *slog.Logger
	events *prometheus.CounterVec

	// stop ends the loops, abandon the deliveries in progress.
	stop, abandon context.CancelFunc
	running       sync.WaitGroup
	alarms        alarms
}

// stopTimeout is how long Stop waits for the sinks' confirmations: an aborted delivery
// may have been accepted already, and is repeated after the next start.
const stopTimeout = 3 * time.Second

// New returns a Dispatcher that is not running yet. The error is that of config.Validate.
func New(outbox Outbox, config Config, tracer edgelens.Tracer, log *slog.Logger, metrics prometheus.Registerer) (*Dispatcher, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("set up the deliveries: %w: %w", edgelens.ErrInvalid, err)
	}
	t := &Dispatcher{outbox: outbox, config: config, tracer: tracer, log: log, events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "edgelens_events_total", Help: "Events by sink, and whether they were delivered (reduced: of these without their large parts), failed and will be retried, or were set aside because the sink rejected them.",
	}, []string{"sink", "outcome"})}
	metrics.MustRegister(t.events)
	return t, nil
}

// Start begins to deliver to the sinks.
func (t *Dispatcher) Start(sinks ...Sink) {
	ctx, stop := context.WithCancel(context.Background())
	working, abandon := context.WithCancel(context.Background())
	t.stop, t.abandon = stop, abandon
	for _, sink := range sinks {
		for _, outcome := range []string{outcomeDelivered, outcomeReduced, outcomeFailed, outcomeRejected} {
			t.events.WithLabelValues(sink.Name(), outcome)
		}
		t.running.Go(func() { newSinkLoop(t, sink).run(ctx, working) })
	}
}

// Stop starts no more deliveries, waits up to stopTimeout for those in progress, and
// aborts the rest; they are repeated after the next start.
func (t *Dispatcher) Stop() {
	if t.stop == nil {
		return
	}
	t.stop()
	defer time.AfterFunc(stopTimeout, t.abandon).Stop()
	t.running.Wait()
	t.abandon()
}

// The values of the label outcome of edgelens_events_total.
const (
	outcomeDelivered = "delivered"
	outcomeReduced   = "reduced"
	outcomeFailed    = "failed"
	outcomeRejected  = "rejected"
)
