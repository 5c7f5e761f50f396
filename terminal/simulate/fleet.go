package simulate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Sent is a sent record, as the receiver must understand it.
type Sent struct {
	// ID is edgelens.RecordID of the other fields.
	ID, Device, Kind, Key, ImageSHA256 string
	// Damaged: the message was damaged on purpose, but still holds a record.
	Damaged bool
	// Uncertain: no confirmation came, so the receiver may have it or not.
	Uncertain bool
	// NoSubscriber: no client had subscribed when the broker accepted it.
	NoSubscriber bool
}

// Fleet is a set of terminals of one dialect. It is safe for use by many goroutines.
type Fleet struct {
	config    Config
	seed      uint64
	log       *slog.Logger
	terminals []*terminal

	mu                          sync.Mutex
	started, ended              time.Time
	heartbeats, onlines, record exchange
	counts                      Report // its simple counters
	sent                        []*Sent
}

// spread is the time between the starts of two terminals, to spare the broker a burst of
// connections.
const spread = 2 * time.Millisecond

// stopTimeout is the time limit for disconnecting all terminals.
const stopTimeout = 5 * time.Second

// New returns a Fleet that is not running yet. Errors: edgelens.ErrInvalid.
func New(config Config, log *slog.Logger) (*Fleet, error) {
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("simulate terminals: %w", err)
	}
	f := &Fleet{config: config, seed: config.Seed, log: log}
	if f.seed == 0 {
		f.seed = mathrand.Uint64()>>32 + 1 // short enough to type
	}
	if len(config.Images) == 0 {
		f.config.Images, f.config.Distinct = drawImages(f.seed), true
	}
	if config.FirstKey == 0 {
		f.config.FirstKey = time.Now().Unix() * 1000
	}
	for i, device := range config.Devices {
		f.terminals = append(f.terminals, newTerminal(f, device, mathrand.New(mathrand.NewPCG(f.seed, uint64(i)))))
	}
	return f, nil
}

// Run connects the terminals and sends until each has made its Records, which are
// confirmed or given up, or until ctx ends; then it waits for due answers, for
// AnswerTimeout at most, and disconnects. It is called once. Missing answers are no error
// of Run: see Report.Err. Errors: a terminal that cannot be started.
func (f *Fleet) Run(ctx context.Context) error {
	f.mu.Lock()
	f.started = time.Now()
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.ended = time.Now()
		f.mu.Unlock()
	}()
	sending, stopSending := context.WithCancel(ctx)
	defer stopSending()
	err := f.start(sending)
	if err == nil {
		f.await(ctx)
		stopSending()
		f.awaitAnswers()
	}
	stopSending()
	return errors.Join(err, f.stop())
}

func (f *Fleet) start(ctx context.Context) error {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	run := hex.EncodeToString(random[:])
	for _, t := range f.terminals {
		if err := t.start(ctx, "sim-"+run+"-"+t.device); err != nil {
			return err
		}
		select {
		case <-time.After(spread):
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// await returns when all terminals have finished, or ctx ends.
func (f *Fleet) await(ctx context.Context) {
	for _, t := range f.terminals {
		select {
		case <-t.finished:
		case <-ctx.Done():
			return
		}
	}
}

// awaitAnswers waits for the answers that are still due.
func (f *Fleet) awaitAnswers() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for waiting := true; waiting; {
		<-tick.C
		waiting = false
		for _, t := range f.terminals {
			waiting = t.awaitsAnswer(time.Now()) || waiting
		}
	}
}

func (f *Fleet) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(32)
	for _, t := range f.terminals {
		if t.session != nil {
			group.Go(func() error { return t.session.Stop(ctx) })
		}
	}
	return group.Wait()
}

// Report returns the report until now.
func (f *Fleet) Report() Report {
	connected := 0
	for _, t := range f.terminals {
		if t.up.Load() {
			connected++
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.counts
	r.Dialect, r.Broker, r.Terminals, r.Connected = f.config.Dialect.Name(), f.config.Broker.String(), len(f.terminals), connected
	r.Seed = f.seed
	if end := f.ended; !f.started.IsZero() {
		if end.IsZero() {
			end = time.Now()
		}
		r.Seconds = end.Sub(f.started).Seconds()
	}
	r.Heartbeats, r.Onlines, r.Records = f.heartbeats.report(), f.onlines.report(), f.record.report()
	return r
}

// Sent returns the sent records, each once, in the order in which each terminal sent
// them; nil without Config.Keep.
func (f *Fleet) Sent() []Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	var sent []Sent
	for _, s := range f.sent {
		sent = append(sent, *s)
	}
	return sent
}

// LastError returns the last connection error of a terminal; nil where none failed.
func (f *Fleet) LastError() error {
	for _, t := range f.terminals {
		if s := t.connection.Load(); s != nil && s.LastError() != nil {
			return s.LastError()
		}
	}
	return nil
}

// count changes the counters.
func (f *Fleet) count(change func(*Fleet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}
