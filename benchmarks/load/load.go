// Package load sends requests to a target: in a closed loop, where each connection sends one after the other, or in an
// open loop, where a pacer sets the due times independently of the target.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"edgelens"
)

// Good is the status of a correct answer.
const Good = "ok"

// A Target answers requests. It is safe for use by many goroutines.
type Target interface {
	// Do sends the worker's n-th request and waits for the whole answer. Status is Good or the error; retryAfter is the
	// wait that a refusal demands.
	Do(ctx context.Context, worker, n int) (status string, retryAfter time.Duration)
}

// Sample is one request; its times are since the Result's Begin.
type Sample struct {
	Worker          int
	Due, Sent, Done time.Duration
	Status          string
}

// Result is the outcome of a load.
type Result struct {
	Begin time.Time
	// Window is how long requests were sent. Later answers are in Samples, too.
	Window  time.Duration
	Samples []Sample
	// Latency is the latency of good answers in microseconds, from their due time.
	Latency *hdrhistogram.Histogram
}

// NewResult is the outcome of a load with these samples.
func NewResult(begin time.Time, window time.Duration, samples []Sample) *Result {
	r := &Result{Begin: begin, Window: window, Samples: samples, Latency: NewHistogram()}
	for _, s := range samples {
		if s.Status == Good {
			_ = r.Latency.RecordValue(min(max(1, (s.Done-s.Due).Microseconds()), r.Latency.HighestTrackableValue())) // within the range
		}
	}
	return r
}

// Throughput is good answers a second within the window.
func (r *Result) Throughput() float64 {
	good := 0
	for _, s := range r.Samples {
		if s.Status == Good && s.Done <= r.Window {
			good++
		}
	}
	return float64(good) / r.Window.Seconds()
}

// NewHistogram is of microseconds, up to an hour, with three digits.
func NewHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Hour.Microseconds(), 3)
}

// worker sends requests and stores their outcomes.
type worker struct {
	number  int
	target  Target
	begin   time.Time
	samples []Sample
}

func newWorkers(n int, target Target, begin time.Time) []*worker {
	workers := make([]*worker, n)
	for i := range workers {
		workers[i] = &worker{number: i, target: target, begin: begin}
	}
	return workers
}

func (w *worker) send(ctx context.Context, due time.Duration) (retryAfter time.Duration) {
	s := Sample{Worker: w.number, Due: due, Sent: time.Since(w.begin)}
	s.Status, retryAfter = w.target.Do(ctx, w.number, len(w.samples))
	s.Done = time.Since(w.begin)
	if ctx.Err() != nil {
		return 0 // canceled by this process: no sample
	}
	w.samples = append(w.samples, s)
	return retryAfter
}

func merge(begin time.Time, window time.Duration, workers []*worker) *Result {
	all := make([][]Sample, len(workers))
	for i, w := range workers {
		all[i] = w.samples
	}
	return NewResult(begin, window, slices.Concat(all...))
}

// maxRetryAfter bounds how long a refused connection is idle.
const maxRetryAfter = 2 * time.Second

// Closed sends requests over the given number of connections, one after the other on each, during window; then it waits
// for answers. A refused connection waits as demanded. The error is ctx's.
func Closed(ctx context.Context, target Target, connections int, window time.Duration) (*Result, error) {
	if connections < 1 || window <= 0 {
		return nil, fmt.Errorf("%w: a closed loop needs at least one connection and a duration", edgelens.ErrInvalid)
	}
	begin := time.Now()
	workers := newWorkers(connections, target, begin)
	var group sync.WaitGroup
	for _, w := range workers {
		group.Go(func() {
			for ctx.Err() == nil {
				now := time.Since(begin)
				if now >= window {
					return
				}
				if wait := min(w.send(ctx, now), maxRetryAfter); wait > 0 {
					pause(ctx, min(wait, window-time.Since(begin)))
				}
			}
		})
	}
	group.Wait()
	return merge(begin, window, workers), ctx.Err()
}

// The arrival processes of an open loop.
const (
	Constant = "constant" // evenly spaced
	Poisson  = "poisson"  // at random, as from many independent clients
)

// Schedule returns when requests are due, from 0 to before window.
func Schedule(rate float64, arrivals string, window time.Duration, seed uint64) ([]time.Duration, error) {
	if !(rate > 0) || rate > 1e6 || window <= 0 {
		return nil, fmt.Errorf("%w: an open loop needs a rate of 0 to 1,000,000 a second and a duration", edgelens.ErrInvalid)
	}
	random := rand.New(rand.NewPCG(seed, 0))
	var due []time.Duration
	at := 0.0 // seconds
	for n := 1; ; n++ {
		switch arrivals {
		case Constant:
		case Poisson:
			at += random.ExpFloat64() / rate
		default:
			return nil, fmt.Errorf("%w: arrivals must be %s or %s, not %q", edgelens.ErrInvalid, Constant, Poisson, arrivals)
		}
		if at >= window.Seconds() {
			return due, nil
		}
		due = append(due, time.Duration(at*float64(time.Second)))
		if arrivals == Constant {
			at = float64(n) / rate
		}
	}
}

// Open sends a request whenever one is due, by up to the given number of connections; one without a free connection
// waits, and its latency counts from its due time. The error is ctx's.
func Open(ctx context.Context, target Target, connections int, schedule []time.Duration, window time.Duration) (*Result, error) {
	if connections < 1 {
		return nil, fmt.Errorf("%w: an open loop needs at least one connection", edgelens.ErrInvalid)
	}
	begin := time.Now()
	workers := newWorkers(connections, target, begin)
	due := make(chan time.Duration, len(schedule)) // so that the pacer never waits for the target
	var group sync.WaitGroup
	group.Go(func() {
		defer close(due)
		for _, at := range schedule {
			if !pause(ctx, at-time.Since(begin)) {
				return
			}
			due <- at
		}
	})
	for _, w := range workers {
		group.Go(func() {
			for at := range due {
				if ctx.Err() != nil {
					return
				}
				w.send(ctx, at)
			}
		})
	}
	group.Wait()
	return merge(begin, window, workers), ctx.Err()
}

// pause reports whether the time elapsed before ctx ended.
func pause(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// IsInterrupt reports whether an error means that ctx ended.
func IsInterrupt(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
