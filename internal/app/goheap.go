package app

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// usualHeap is what Go's runtime has of the kernel in an idle service.
	usualHeap = 24 << 20
	// reliefInterval is how often free memory is returned to the kernel at most while decoding lacks it, and
	// maxReliefInterval how often where that returns little: what many clients take at a time is in use.
	reliefInterval, maxReliefInterval = time.Second, 4 * time.Second
	// lavish is from how much memory beyond the usual on it is returned as if decoding lacked it: some uploads at their largest.
	lavish = 96 << 20
	// restInterval is how often it is returned while no image lacks it. Each time costs a collection, and later the time to get
	// it from the kernel again.
	restInterval = 10 * time.Second
)

// goHeap is the memory of Go's runtime in this process. Uploads of 20 MB each leave some
// hundreds of megabytes to the collector, which returns them to the kernel within
// minutes. Decoding needs them at once. It is safe for concurrent use.
type goHeap struct {
	relieving atomic.Bool

	mu sync.Mutex
	// relieved is when memory was last returned, left what the runtime had beyond the usual afterwards, and interval the time
	// until memory is returned again, unless it has more by reliefThreshold.
	relieved time.Time
	left     int64
	interval time.Duration
}

// above returns how many bytes Go's runtime has beyond the usual.
func (h *goHeap) above() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 { // not in this version of Go
			return 0
		}
	}
	return max(0, int64(samples[0].Value.Uint64())-int64(samples[1].Value.Uint64())-usualHeap)
}

// relieve returns free memory to the kernel, unless that was done just now, or to no avail a little while ago. above is what
// the runtime has beyond the usual, and lacking whether decoding needs it. It does not wait: collecting takes some ten
// milliseconds, in a goroutine that ends then.
func (h *goHeap) relieve(now time.Time, above int64, lacking bool) {
	if !h.isDue(now, above, lacking) || h.relieving.Swap(true) {
		return
	}
	go func() {
		defer h.relieving.Store(false)
		debug.FreeOSMemory()
		h.noteRelief(time.Now(), above, h.above())
	}()
}

// isDue reports whether returning memory is worth its cost.
func (h *goHeap) isDue(now time.Time, above int64, lacking bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	interval := max(h.interval, reliefInterval)
	switch {
	case !lacking && above < lavish:
		interval = restInterval
	case above-h.left >= reliefThreshold:
		interval = reliefInterval
	}
	return now.Sub(h.relieved) >= interval
}

// noteRelief notes what was beyond the usual before memory was returned, and is afterwards.
func (h *goHeap) noteRelief(now time.Time, before, after int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.relieved, h.left = now, after
	if before-after >= reliefThreshold/2 {
		h.interval = reliefInterval
	} else {
		h.interval = min(2*max(h.interval, reliefInterval), maxReliefInterval)
	}
}
