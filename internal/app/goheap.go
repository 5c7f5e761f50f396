package app

import (
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

const (
	// usualHeap is what Go's runtime has of the kernel in a service that is idle or has
	// ordinary images.
	usualHeap = 40 << 20
	// reliefInterval is how often free memory is returned to the kernel at most.
	reliefInterval = time.Second
)

// goHeap is the memory of Go's runtime in this process. Uploads of 20 MB each leave some
// hundreds of megabytes to the collector, which returns them to the kernel within
// minutes. Decoding needs them at once. It is safe for concurrent use.
type goHeap struct {
	relieved  atomic.Int64 // when memory was last returned, in Unix nanoseconds
	relieving atomic.Bool
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

// relieve returns free memory to the kernel, unless that was done just now. It does not
// wait: collecting takes some ten milliseconds, in a goroutine that ends then.
func (h *goHeap) relieve(now time.Time) {
	if now.Sub(time.Unix(0, h.relieved.Load())) < reliefInterval || h.relieving.Swap(true) {
		return
	}
	go func() {
		defer h.relieving.Store(false)
		debug.FreeOSMemory()
		h.relieved.Store(time.Now().UnixNano())
	}()
}
