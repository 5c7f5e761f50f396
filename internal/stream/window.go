// Package stream computes statistics of a stream of values in constant memory: a sliding
// window with moments, order statistics and distances, quantiles of a day, trend, season and
// the prediction of the next value. Nothing in it is safe for use by several goroutines at once.
package stream

import (
	"math"
	"slices"
	"time"
)

// Sample is one value of a stream.
type Sample struct {
	// At is the time of the value in nanoseconds since 1970, Arrival that of its arrival
	// on a clock that is never set.
	At      int64
	Arrival time.Duration
	Value   float64
}

// Window holds the latest values, limited by their number and their age. Adding a value
// takes time proportional to the logarithm of the limit, and a move of its bytes.
type Window struct {
	limit int
	age   time.Duration
	ring  []Sample // grows to limit
	first int
	n     int
	// sorted has the values of the ring in order.
	sorted []float64
	// mean, from origin, and squares, the sum of squared distances from it, are kept by
	// Welford's recurrence, and computed anew before rounding errors can add up. Origin is
	// near the values: pressures of 101325 Pa lose no digits.
	origin, mean, squares float64
	changes               int
}

// NewWindow returns a window of at most limit values (at least 2), none older than age; 0 is
// no limit of age.
func NewWindow(limit int, age time.Duration) *Window {
	return &Window{limit: max(2, limit), age: age}
}

// Len returns the number of values.
func (w *Window) Len() int { return w.n }

// at returns the sample at i, the oldest first.
func (w *Window) at(i int) *Sample { return &w.ring[(w.first+i)%len(w.ring)] }

// Newest returns the latest sample; false for none.
func (w *Window) Newest() (Sample, bool) {
	if w.n == 0 {
		return Sample{}, false
	}
	return *w.at(w.n - 1), true
}

// Evict removes what is too old at a time of the arrival clock.
func (w *Window) Evict(now time.Duration) {
	for w.n > 0 && w.age > 0 && now-w.at(0).Arrival > w.age {
		w.removeOldest()
	}
}

// Add adds a finite value, after removing the oldest one of a full window.
func (w *Window) Add(s Sample) {
	if w.n == w.limit {
		w.removeOldest()
	}
	if w.n == len(w.ring) {
		w.grow()
	}
	w.n++
	*w.at(w.n - 1) = s
	i, _ := slices.BinarySearch(w.sorted, s.Value)
	w.sorted = slices.Insert(w.sorted, i, s.Value)
	if w.n == 1 {
		w.origin = s.Value
	}
	value := s.Value - w.origin
	before := value - w.mean
	w.mean += before / float64(w.n)
	w.squares += before * (value - w.mean)
	w.changed(false)
}

// grow makes room in the ring: twice as much, up to the limit.
func (w *Window) grow() {
	larger := make([]Sample, min(w.limit, max(8, 2*len(w.ring))))
	for i := range w.n {
		larger[i] = *w.at(i)
	}
	w.ring, w.first = larger, 0
}

func (w *Window) removeOldest() {
	old := w.at(0).Value
	w.first = (w.first + 1) % len(w.ring)
	w.n--
	i, _ := slices.BinarySearch(w.sorted, old)
	w.sorted = slices.Delete(w.sorted, i, i+1)
	if w.n == 0 {
		w.origin, w.mean, w.squares, w.changes = 0, 0, 0, 0
		return
	}
	old -= w.origin
	before, squares := old-w.mean, w.squares
	w.mean -= before / float64(w.n)
	w.squares -= before * (old - w.mean)
	// Where most of the sum was of this value, what remains of it are rounding errors.
	w.changed(w.squares < 1e-6*squares)
}

// changed computes the moments anew once per lap of the window, or at once.
func (w *Window) changed(now bool) {
	if w.changes++; !now && w.changes < w.limit {
		return
	}
	w.changes = 0
	w.origin = w.Median()
	w.mean, w.squares = 0, 0
	for i, v := range w.sorted {
		w.mean += (v - w.origin - w.mean) / float64(i+1)
	}
	for _, v := range w.sorted {
		w.squares += (v - w.origin - w.mean) * (v - w.origin - w.mean)
	}
}

// moments returns the mean and the sum of squared distances from it, in two passes.
func moments(values []float64) (mean, squares float64) {
	for i, v := range values {
		mean += (v - mean) / float64(i+1)
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return mean, squares
}

// Mean returns the mean; 0 of none.
func (w *Window) Mean() float64 { return w.origin + w.mean }

// Deviation returns the sample standard deviation; 0 below two values, and of equal ones.
func (w *Window) Deviation() float64 {
	if w.n < 2 || w.Constant() {
		return 0
	}
	return math.Sqrt(max(0, w.squares) / float64(w.n-1))
}

// Constant reports that all values are equal.
func (w *Window) Constant() bool { return w.n == 0 || w.sorted[0] == w.sorted[w.n-1] }

// Min and Max return the smallest and the largest value; 0 of none.
func (w *Window) Min() float64 { return w.rank(0) }

// Max is described at Min.
func (w *Window) Max() float64 { return w.rank(w.n - 1) }

func (w *Window) rank(i int) float64 {
	if w.n == 0 {
		return 0
	}
	return w.sorted[i]
}

// Median returns the median; 0 of none.
func (w *Window) Median() float64 {
	if w.n == 0 {
		return 0
	}
	return w.sorted[(w.n-1)/2]/2 + w.sorted[w.n/2]/2
}

// Rate returns the number of values per second by their arrival; 0 where it is unknown.
func (w *Window) Rate() float64 {
	if w.n < 2 {
		return 0
	}
	span := w.at(w.n-1).Arrival - w.at(0).Arrival
	if span <= 0 {
		return 0
	}
	return float64(w.n-1) / span.Seconds()
}

// Span returns the time from the first to the last value, by their own times.
func (w *Window) Span() time.Duration {
	if w.n == 0 {
		return 0
	}
	return max(0, time.Duration(w.at(w.n-1).At-w.at(0).At))
}

// Interval returns a quantile of the times between arrivals; 0 below three values.
func (w *Window) Interval(share float64) time.Duration {
	if w.n < 3 {
		return 0
	}
	intervals := make([]time.Duration, w.n-1)
	for i := range intervals {
		intervals[i] = w.at(i+1).Arrival - w.at(i).Arrival
	}
	slices.Sort(intervals)
	return intervals[min(len(intervals)-1, int(share*float64(len(intervals))))]
}

// Samples appends the samples, the oldest first.
func (w *Window) Samples(to []Sample) []Sample {
	for i := range w.n {
		to = append(to, *w.at(i))
	}
	return to
}

// Last returns the latest values, at most n, the oldest first.
func (w *Window) Last(n int) []float64 {
	n = min(n, w.n)
	values := make([]float64, n)
	for i := range values {
		values[i] = w.at(w.n - n + i).Value
	}
	return values
}
