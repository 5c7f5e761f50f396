package supervise_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
)

// BenchmarkRedisStart is the duration of StartRedis with existing data, and the memory of an idle Redis.
func BenchmarkRedisStart(b *testing.B) {
	supervisetest.FindRedis(b)
	dir := b.TempDir()
	var kib float64
	for b.Loop() {
		r, err := supervise.StartRedis(b.Context(), dir, supervise.DefaultRedisConfig(), quiet)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		kib = proportionalKiB(b, r.PID())
		if err := r.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(kib, "PSS-KiB")
}

// BenchmarkRedisRestart is the time from the exit of Redis until it is ready again, including the delay.
func BenchmarkRedisRestart(b *testing.B) {
	supervisetest.FindRedis(b)
	r, err := supervise.StartRedis(b.Context(), b.TempDir(), supervise.DefaultRedisConfig(), quiet)
	if err != nil {
		b.Fatal(err)
	}
	stopAfter(b, r)
	for b.Loop() {
		restarts := r.Restarts()
		kill(b, r.PID())
		until(b, r.Process, "Redis is up again", func() bool { return r.Up() && r.Restarts() > restarts })
		b.StopTimer() // a new Process, for its first delay
		if err := r.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		if r, err = supervise.StartRedis(b.Context(), b.TempDir(), supervise.DefaultRedisConfig(), quiet); err != nil {
			b.Fatal(err)
		}
		stopAfter(b, r)
		b.StartTimer()
	}
}

var pss = regexp.MustCompile(`(?m)^Pss: +(\d+) kB`)

// proportionalKiB is a process' share of memory (Pss).
func proportionalKiB(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		b.Fatal(err)
	}
	found := pss.FindSubmatch(text)
	if found == nil {
		b.Fatalf("no Pss in %s", text)
	}
	kib, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib
}
