//go:build cgo

package app

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkJobs compares, in one run, how fast the synchronous path and the
// queue recognize the same image: drain/sync from the moment when all are
// accepted, whole/sync from the first submission on, with the client's work and
// the accepting. submit-p99-ms and poll-p50-ms are what a client waits for while
// the queue drains at full load.
func BenchmarkJobs(b *testing.B) {
	const images = 1000
	c := settings(b)
	withShared(b, c)
	s, image := start(b, c), readImage(b, "cat_720p.jpg")
	var syncRate, drainRate, wholeRate []float64
	var submits, polls []time.Duration
	for b.Loop() {
		took := timed(func() { inParallel(8, images, func() { s.raw(path+"?cache=false", image) }) })
		syncRate = append(syncRate, images/took.Seconds())

		var last atomic.Value
		var mu sync.Mutex
		var left int
		var submitted time.Time
		whole := timed(func() {
			inParallel(4, images, func() {
				took := timed(func() {
					a := s.sendWith("POST", "/api/recognize_async?cache=false", nil, image)
					if a.status != http.StatusAccepted {
						b.Errorf("%d %s", a.status, a.body)
						return
					}
					last.Store(a.header.Get("Location"))
				})
				mu.Lock()
				submits = append(submits, took)
				mu.Unlock()
			})
			submitted, left = time.Now(), s.unfinished()
			for s.unfinished() > 0 {
				polls = append(polls, timed(func() { s.get(last.Load().(string)) }))
				time.Sleep(10 * time.Millisecond) // a polite client
			}
		})
		drainRate = append(drainRate, float64(left)/time.Since(submitted).Seconds())
		wholeRate = append(wholeRate, images/whole.Seconds())
	}
	b.ReportMetric(mean(drainRate)/mean(syncRate), "drain/sync")
	b.ReportMetric(mean(wholeRate)/mean(syncRate), "whole/sync")
	b.ReportMetric(mean(syncRate), "sync/s")
	b.ReportMetric(milliseconds(quantile(submits, 0.99)), "submit-p99-ms")
	b.ReportMetric(milliseconds(median(polls)), "poll-p50-ms")
}

func (s *service) unfinished() int {
	stats, err := s.jobs.ledger.Stats(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for of, jobs := range stats.Jobs {
		if !of.Status.Terminal() {
			n += int(jobs)
		}
	}
	return n
}

// inParallel calls do n times in all, by so many clients.
func inParallel(clients, n int, do func()) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range clients {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				do()
			}
		})
	}
	wg.Wait()
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
