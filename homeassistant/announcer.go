package homeassistant

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/loglimit"
)

// maxIncoming is how many messages of the broker may wait; further ones are dropped and counted.
const maxIncoming = 256

// Announcer makes devices known to Home Assistant, between Start and Stop of the connection that passes it messages. One
// goroutine, that of Run, owns what it knows; the other methods are safe for use by many goroutines.
type Announcer struct {
	config  Config
	parts   Parts
	timing  Timing
	log     *slog.Logger
	limiter *loglimit.Limiter
	metrics *metrics

	incoming chan incoming
	images   *images
	commands *commands

	// What follows is of the goroutine of Run alone.
	book    *book
	entries map[string]*entry
	// marks has the mark of every device that exists, whether it is made known here or not.
	marks map[string]string
	// removals are the devices to be removed.
	removals map[string]removal
	peers    peers
	started  time.Time
	up       bool
	// quietUntil is when the next message may be published.
	quietUntil time.Time
	full       map[string]bool // the reasons for what is left out, as logged
}

// entry is a device that is made known here.
type entry struct {
	card
	// due is when its message is to be published; zero for not.
	due time.Time
	// published is when the broker last confirmed it: its values follow; zero for never.
	published time.Time
	// sent has the values as they were published, by topic.
	sent map[string]sentValue
}

// removal is that of a device: first the device, and then, when Home Assistant does not read them any more, its values.
type removal struct {
	at     time.Time
	values bool
}

type sentValue struct {
	payload string
	at      time.Time
}

// New returns an Announcer. Errors: that of config.Validate.
func New(config Config, parts Parts) (*Announcer, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("set up Home Assistant: %w: %w", edgelens.ErrInvalid, err)
	}
	if parts.Timing == (Timing{}) {
		parts.Timing = DefaultTiming()
	}
	kept, err := loadBook(parts.File)
	if err != nil {
		parts.Log.Error("what a user has deleted in Home Assistant is not known any more, and is announced again", "event", "homeassistant_book_damaged", "error", err)
	}
	a := &Announcer{
		config: config, parts: parts, timing: parts.Timing, log: parts.Log, limiter: &loglimit.Limiter{}, metrics: newMetrics(parts.Registerer),
		incoming: make(chan incoming, maxIncoming), images: newImages(),
		book: kept, entries: map[string]*entry{}, marks: map[string]string{}, removals: map[string]removal{},
		peers: newPeers(parts.Node), full: map[string]bool{},
	}
	a.commands = newCommands(parts, a.metrics)
	return a, nil
}

// Run makes devices known until ctx ends.
func (a *Announcer) Run(ctx context.Context) error {
	var commands sync.WaitGroup
	commands.Go(func() { a.commands.run(ctx) })
	defer commands.Wait()
	a.started = time.Now()
	a.refresh(ctx, a.started)
	refresh := time.NewTicker(a.timing.Refresh)
	defer refresh.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case m := <-a.incoming:
			a.on(m, time.Now())
		case now := <-refresh.C:
			a.refresh(ctx, now)
		case <-a.images.wake:
		case <-next.C:
		case <-ctx.Done():
			return a.book.save()
		}
		next.Reset(a.work(ctx))
	}
}

// onLink notes that the connection came or went. A broker may have lost what it had retained.
func (a *Announcer) onLink(up bool, now time.Time) {
	if a.up = up; !up {
		a.peers.lost()
		return
	}
	a.peers.connected(now)
	a.again(now, 0)
	for _, e := range a.entries {
		clear(e.sent)
	}
}

// again makes every device known again, some time after now.
func (a *Announcer) again(now time.Time, jitter time.Duration) {
	for _, e := range a.entries {
		if e.due.IsZero() {
			e.due = now.Add(a.timing.Debounce + jitter)
		}
	}
}

// save keeps the book. It is kept later where it cannot be now.
func (a *Announcer) save() {
	if err := a.book.save(); err != nil {
		if suppressed, ok := a.limiter.Pass("book", time.Now()); ok {
			a.log.Warn("keeping what Home Assistant knows failed, retrying", "event", "homeassistant_book", "suppressed", suppressed, "error", err)
		}
	}
}
