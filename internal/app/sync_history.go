package app

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/loglimit"
)

const (
	// maxUnkept is how many answers may wait until they are in the history, and keptAtOnce how many are written in one
	// transaction.
	maxUnkept  = 256
	keptAtOnce = 64
	// keepTimeout is how long a transaction may take.
	keepTimeout = 5 * time.Second
)

// resultKeeper keeps results; ledger.Results is one.
type resultKeeper interface {
	RecordAll(ctx context.Context, results []edgelens.StoredResult) error
}

// syncHistory has the results of recognitions that are answered at once in the history (ledger.keep_sync). An answer
// never waits for it: where too many wait to be written, their results are dropped, and counted.
type syncHistory struct {
	next    edgelens.Recognizer
	results resultKeeper
	log     *slog.Logger
	limiter loglimit.Limiter

	queue   chan edgelens.StoredResult
	dropped atomic.Int64
	closing chan struct{}
	writing sync.WaitGroup
	close   func()
}

// newSyncHistory returns one that writes until Close.
func newSyncHistory(next edgelens.Recognizer, results resultKeeper, log *slog.Logger, metrics prometheus.Registerer) *syncHistory {
	h := &syncHistory{
		next: next, results: results, log: log, limiter: loglimit.Limiter{Every: time.Minute},
		queue: make(chan edgelens.StoredResult, maxUnkept), closing: make(chan struct{}),
	}
	h.close = sync.OnceFunc(func() { close(h.closing) })
	metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "edgelens_sync_results_dropped_total",
		Help: "Results of recognitions that were answered at once and did not enter the history (ledger.keep_sync): too many waited, or the ledger could not be written.",
	}, func() float64 { return float64(h.dropped.Load()) }))
	h.writing.Go(h.write)
	return h
}

// Recognize implements edgelens.Recognizer.
func (h *syncHistory) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	result, err := h.next.Recognize(ctx, req)
	if err != nil {
		return nil, err
	}
	item := edgelens.StoredResult{
		ID: req.ID, Source: edgelens.SourceSync, Device: req.Device, Owner: req.Owner, CreatedAt: time.Now(), Result: result.Clone(),
	}
	select {
	case h.queue <- item:
	default:
		h.drop(1, "too many wait to be written")
	}
	return result, nil
}

// Dropped returns how many results did not enter the history since the start.
func (h *syncHistory) Dropped() int64 { return h.dropped.Load() }

// Close writes what waits, and returns when that is done. No more may be recognized then.
func (h *syncHistory) Close() {
	h.close()
	h.writing.Wait()
}

// write writes the results until Close, and then those that are left.
func (h *syncHistory) write() {
	for {
		select {
		case first := <-h.queue:
			h.keep(h.gather(first))
		case <-h.closing:
			for len(h.queue) > 0 {
				h.keep(h.gather(<-h.queue))
			}
			return
		}
	}
}

// gather returns the first result and those that wait behind it.
func (h *syncHistory) gather(first edgelens.StoredResult) []edgelens.StoredResult {
	batch := []edgelens.StoredResult{first}
	for len(batch) < keptAtOnce {
		select {
		case next := <-h.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

func (h *syncHistory) keep(batch []edgelens.StoredResult) {
	ctx, cancel := context.WithTimeout(context.Background(), keepTimeout)
	defer cancel()
	if err := h.results.RecordAll(ctx, batch); err != nil {
		h.drop(len(batch), err.Error())
	}
}

func (h *syncHistory) drop(n int, reason string) {
	h.dropped.Add(int64(n))
	if suppressed, ok := h.limiter.Pass("", time.Now()); ok {
		h.log.Warn("results of recognitions dropped, which were answered and are not in the history", "event", "sync_results_dropped", "results", n, "suppressed", suppressed, "reason", reason)
	}
}
