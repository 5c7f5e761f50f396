// Package notify tells sinks what is in the outbox. For each sink and device
// things are told in order, one after the other, each until the sink has
// confirmed it, however long that takes; different devices and different sinks
// do not wait for one another.
//
// A thing is told at least once. It is told again only where the process died,
// or the confirmation was lost, between the sink's taking it and the outbox's
// letting go of it: then under the same id.
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

// ErrRejected: the sink understood what it was told and will never take it. It
// is tried once or twice more, then set aside, so that it holds up nothing else
// that the device has to say. So is an edgelens.ErrTooLarge, once a reduced form
// was tried.
var ErrRejected = errors.New("the receiver rejects it")

// A Sink is somebody to be told.
type Sink interface {
	// Name is the one in the outbox.
	Name() string
	// Deliver tells one thing and returns nil once the sink has confirmed it.
	// Errors other than ErrRejected and edgelens.ErrTooLarge may pass; after the
	// latter it is called again with d.Reduced. It is called by many goroutines,
	// but for each device by one at a time.
	Deliver(ctx context.Context, d *edgelens.Delivery) error
}

// Outbox is what is to be told; package ledger has it.
type Outbox interface {
	WatchOutbox() (wake <-chan struct{}, devices func() []string, cancel func())
	OutboxDevices(ctx context.Context, sink string) ([]string, error)
	Outbox(ctx context.Context, sink, device string, limit int) ([]edgelens.Delivery, error)
	Delivered(ctx context.Context, seqs ...int64) error
	// SetAside keeps a row, and takes it out of its device's order.
	SetAside(ctx context.Context, seq int64, reason string) error
}

// Config is how sinks are told.
type Config struct {
	// Workers is how many devices a sink is told of at a time.
	Workers int
	// MinBackoff and MaxBackoff bound the wait after a failure, which doubles
	// from one to the next and is spread by a half.
	MinBackoff, MaxBackoff time.Duration
	// Rejections is how often one thing is rejected until it is set aside. What
	// comes right after one that was set aside is tried once.
	Rejections int
}

// DefaultConfig tells 16 devices at a time and waits between 1 s and 1 min.
func DefaultConfig() Config {
	return Config{Workers: 16, MinBackoff: time.Second, MaxBackoff: time.Minute, Rejections: 2}
}

// Validate reports every fault at once, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if c.Workers < 1 || c.Workers > 1000 {
		errs = append(errs, fmt.Errorf("lanes must be 1 to 1000, not %d", c.Workers))
	}
	if c.MinBackoff < time.Millisecond || c.MinBackoff > c.MaxBackoff || c.MaxBackoff > time.Hour {
		errs = append(errs, fmt.Errorf("min_backoff and max_backoff must be 1ms to 1h and in order, not %v and %v", c.MinBackoff, c.MaxBackoff))
	}
	if c.Rejections < 1 || c.Rejections > 1000 {
		errs = append(errs, fmt.Errorf("rejections must be 1 to 1000, not %d", c.Rejections))
	}
	return errors.Join(errs...)
}

// Dispatcher tells one or more sinks, between Start and Stop.
type Dispatcher struct {
	outbox Outbox
	config Config
	log    *slog.Logger
	events *prometheus.CounterVec

	// stop ends the rounds, abandon the deliveries under way.
	stop, abandon context.CancelFunc
	running       sync.WaitGroup
	alarms        alarms
}

// stopTimeout is how long Stop waits for the sinks' confirmations: what is cut
// off may have been taken already, and is told again after the next start.
const stopTimeout = 3 * time.Second

// New returns a Dispatcher, not running yet. The error is that of config.Validate.
func New(outbox Outbox, config Config, log *slog.Logger, metrics prometheus.Registerer) (*Dispatcher, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("set up the deliveries: %w: %w", edgelens.ErrInvalid, err)
	}
	t := &Dispatcher{outbox: outbox, config: config, log: log, events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "edgelens_events_total", Help: "Events by sink, and whether they were delivered (reduced: of these without their large parts), failed and are to be tried again, or were set aside because the sink rejects them.",
	}, []string{"sink", "outcome"})}
	metrics.MustRegister(t.events)
	return t, nil
}

// Start begins to tell the sinks.
func (t *Dispatcher) Start(sinks ...Sink) {
	ctx, stop := context.WithCancel(context.Background())
	working, abandon := context.WithCancel(context.Background())
	t.stop, t.abandon = stop, abandon
	for _, sink := range sinks {
		for _, outcome := range []string{outcomeDelivered, outcomeReduced, outcomeFailed, outcomeRejected} {
			t.events.WithLabelValues(sink.Name(), outcome)
		}
		t.running.Go(func() { newRound(t, sink).run(ctx, working) })
	}
}

// Stop begins nothing more, waits a moment for the deliveries under way, and
// ends those that are left; they are made again after the next start.
func (t *Dispatcher) Stop() {
	if t.stop == nil {
		return
	}
	t.stop()
	defer time.AfterFunc(stopTimeout, t.abandon).Stop()
	t.running.Wait()
	t.abandon()
}

// The outcomes in edgelens_events_total.
const (
	outcomeDelivered = "delivered"
	outcomeReduced   = "reduced"
	outcomeFailed    = "failed"
	outcomeRejected  = "rejected"
)
