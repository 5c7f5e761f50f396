package telemetry

import (
	"slices"
	"sync"
	"time"
)

// keptDurations bounds the memory of latencies: in busy minutes, the latest.
const keptDurations = 4096

// latencies has the latest durations of recognitions. It is safe for use by many goroutines.
type latencies struct {
	mu   sync.Mutex
	last []latency
	next int
}

type latency struct {
	at   time.Time
	took time.Duration
}

func (d *latencies) add(at time.Time, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.last) < keptDurations {
		d.last = append(d.last, latency{at, took})
		return
	}
	d.last[d.next] = latency{at, took}
	d.next = (d.next + 1) % keptDurations
}

// Latency returns the 95th percentile of the latencies of the successful recognitions since a time; ok is false where
// there was none. In busy minutes, it is of the last 4096.
func (t *Recognizer) Latency(since time.Time) (p95 time.Duration, ok bool) {
	t.recent.mu.Lock()
	var all []time.Duration
	for _, one := range t.recent.last {
		if !one.at.Before(since) {
			all = append(all, one.took)
		}
	}
	t.recent.mu.Unlock()
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	return all[(95*len(all)+99)/100-1], true
}
