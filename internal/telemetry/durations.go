package telemetry

import (
	"math"
	"time"
)

const (
	// shortest is the upper bound of the first bucket, and growth the ratio of a bucket's bounds: a quantile, the middle
	// of its bucket, is off by at most a tenth.
	shortest = 2 * time.Microsecond
	growth   = 1.2
	// buckets reach two minutes, longer than any recognition.
	buckets = 100
)

// durations counts durations in buckets of equal ratio.
type durations [buckets]uint32

func (d *durations) add(took time.Duration) {
	place := 0
	if took > shortest {
		place = min(buckets-1, int(math.Ceil(math.Log(float64(took)/float64(shortest))/math.Log(growth))))
	}
	d[place]++
}

func (d *durations) merge(other *durations) {
	for i, n := range other {
		d[i] += n
	}
}

func (d *durations) total() (n int64) {
	for _, count := range d {
		n += int64(count)
	}
	return n
}

// quantile returns the duration below which that share of all is, by the nearest rank; 0 without any.
func (d *durations) quantile(share float64) time.Duration {
	total := d.total()
	if total == 0 {
		return 0
	}
	rank := max(1, int64(math.Ceil(share*float64(total))))
	for i, count := range d {
		if rank -= int64(count); rank <= 0 {
			return time.Duration(float64(shortest) * math.Pow(growth, float64(i)-0.5))
		}
	}
	return 0 // not reached: the ranks add up to the total
}
