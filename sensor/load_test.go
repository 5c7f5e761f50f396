package sensor_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"edgelens/internal/clocks"
	"edgelens/sensor"
)

// fleet is a Monitor with a number of series, each of which has a full window.
type fleet struct {
	monitor *sensor.Monitor
	topics  []string
	bodies  [][]byte
	n       int
	at      time.Duration
}

func newFleet(tb testing.TB, series int) *fleet {
	tb.Helper()
	f := &fleet{}
	start := time.Date(2026, 4, 10, 0, 0, 0, 0, time.UTC)
	monitor, err := sensor.New(sensor.DefaultConfig(), sensor.Parts{Clock: func() clocks.Reading {
		return clocks.Reading{Wall: start.Add(f.at), Monotonic: f.at}
	}})
	if err != nil {
		tb.Fatal(err)
	}
	f.monitor = monitor
	for i := range series {
		f.topics = append(f.topics, fmt.Sprintf("sensors/device_%d/temperature", i))
	}
	for i := range 997 { // values that repeat, but with no series' period
		f.bodies = append(f.bodies, fmt.Appendf(nil, "%.2f", 50+float64(i*7919%997)/100))
	}
	for range 300 * series {
		f.send(tb)
	}
	return f
}

// send sends the next message, a tenth of a millisecond later.
func (f *fleet) send(tb testing.TB) {
	f.at += 100 * time.Microsecond
	if err := f.monitor.Receive(f.topics[f.n%len(f.topics)], f.bodies[f.n%len(f.bodies)], false); err != nil {
		tb.Fatal(err)
	}
	f.n++
}

// The whole way of a message: parsing, statistics, anomalies, rules. 10,000 a second on one
// core are 100,000 ns for each.
func BenchmarkReceive(b *testing.B) {
	for _, series := range []int{10, 1000} {
		b.Run(fmt.Sprintf("series=%d", series), func(b *testing.B) {
			f := newFleet(b, series)
			b.ReportAllocs()
			for b.Loop() {
				f.send(b)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "points/s")
		})
	}
}

// BenchmarkSnapshot is what a page that shows all series costs.
func BenchmarkSnapshot(b *testing.B) {
	f := newFleet(b, 1000)
	for b.Loop() {
		if _, err := f.monitor.Series(""); err != nil {
			b.Fatal(err)
		}
	}
}

// A million points leave the memory where it was once the windows are full.
func TestMemoryIsFlatOverAMillionPoints(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes memory of its own; make test-nocgo measures without it")
	}
	f := newFleet(t, 1000)
	before := heap()
	for range 1_000_000 {
		f.send(t)
	}
	after := heap()
	t.Logf("%.1f MB after 300,000 points of 1,000 series, %.1f MB after 1,300,000", float64(before)/1e6, float64(after)/1e6)
	if after > before+before/10 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if perSeries := after / 1000; perSeries > 40_000 {
		t.Errorf("a series takes %d bytes", perSeries)
	}
	runtime.KeepAlive(f)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
