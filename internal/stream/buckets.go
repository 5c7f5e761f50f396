package stream

import (
	"slices"
	"time"
)

// maxBridged is how many empty buckets in a row are filled by interpolation.
const maxBridged = 3

// Buckets are the means of a stream over equal times, for what takes days. They have no gaps:
// a longer one begins them anew.
type Buckets struct {
	width time.Duration
	limit int
	means []float64
	// index is the number of the bucket being filled, since the clock began.
	index  int64
	mean   float64
	count  int
	closed int64
}

// NewBuckets returns buckets of a width, of which it keeps the latest.
func NewBuckets(width time.Duration, limit int) *Buckets {
	return &Buckets{width: width, limit: limit}
}

// Add adds a value that arrived at a time of a clock that is never set.
func (b *Buckets) Add(arrival time.Duration, value float64) {
	index := int64(arrival / b.width)
	if b.count > 0 && index > b.index {
		b.close(int(min(index-b.index-1, maxBridged+1)), value)
	}
	b.index = index
	b.count++
	b.mean += (value - b.mean) / float64(b.count)
}

// close ends the bucket being filled; empty buckets lie between it and that of the next value.
func (b *Buckets) close(empty int, next float64) {
	b.closed++
	if empty > maxBridged {
		b.means, b.mean, b.count = nil, 0, 0
		return
	}
	for i := range empty + 1 {
		if len(b.means) == b.limit {
			b.means = slices.Delete(b.means, 0, 1)
		}
		b.means = append(b.means, b.mean+(next-b.mean)*float64(i)/float64(empty+1))
	}
	b.mean, b.count = 0, 0
}

// Means returns the means of the full buckets, the oldest first. They are valid until the next
// Add.
func (b *Buckets) Means() []float64 { return b.means }

// Closed returns how often the means have changed.
func (b *Buckets) Closed() int64 { return b.closed }
