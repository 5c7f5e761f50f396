package simulate_test

import (
	"context"
	"runtime"
	"syscall"
	"testing"
	"time"

	"edgelens/terminal/fungxi"
	"edgelens/terminal/simulate"
)

// BenchmarkTwoHundredTerminals runs 200 terminals that send a heartbeat every second and a
// small record every 10 s, for 5 s, and measures CPU and memory, with the responder in the
// same process.
func BenchmarkTwoHundredTerminals(b *testing.B) {
	address, _ := broker(b)
	respond(b, address, fungxiDialect())
	c := config(b, address, fungxiDialect(), fungxi.NewSimulator(nil))
	c.Devices, c.Heartbeat, c.Rate, c.Records, c.Keep = simulate.Serials("B", 200), time.Second, 0.1, 0, false
	for b.Loop() {
		fleet, err := simulate.New(c, quiet)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		used, begin := cpu(b), time.Now()
		var memory runtime.MemStats
		reading := time.AfterFunc(4*time.Second, func() { runtime.ReadMemStats(&memory) })
		err = fleet.Run(ctx)
		reading.Stop()
		cancel()
		if err != nil {
			b.Fatal(err)
		}
		report := fleet.Report()
		b.ReportMetric(100*(cpu(b)-used).Seconds()/time.Since(begin).Seconds(), "cpu%")
		b.ReportMetric(float64(memory.HeapInuse+memory.StackInuse)/(1<<20), "MiB")
		b.ReportMetric(float64(report.Heartbeats.Latency.P99.Microseconds())/1000, "p99-ms")
		if err := report.Err(); err != nil {
			b.Error(err)
		}
	}
}

func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
