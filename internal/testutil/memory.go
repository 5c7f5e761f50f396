package testutil

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// PrivateBytes returns the memory of this process that no other shares (Private_ of
// /proc/self/smaps_rollup, proc(5)), without what Go no longer needs.
func PrivateBytes(t testing.TB) int64 {
	t.Helper()
	debug.FreeOSMemory()
	rollup, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Skip(err)
	}
	var sum int64
	for line := range strings.Lines(string(rollup)) {
		var name string
		var kB int64
		if n, _ := fmt.Sscanf(line, "%s %d kB", &name, &kB); n == 2 && strings.HasPrefix(name, "Private_") {
			sum += kB << 10
		}
	}
	if sum == 0 {
		t.Fatal("no Private_ lines in smaps_rollup")
	}
	return sum
}

// DoesNotLeak fails the test if each of several series of cycles makes the process grow by
// more than limit bytes. Allocators keep some megabytes more or less from one series to the
// next; what leaks grows every time.
func DoesNotLeak(t testing.TB, cycles int, limit int64, cycle func()) {
	t.Helper()
	const series = 6
	var grown int64
	for range series {
		before := PrivateBytes(t)
		for range cycles {
			cycle()
		}
		if grown = PrivateBytes(t) - before; grown <= limit {
			return
		}
	}
	t.Errorf("%d cycles grew the process by %d kB, %d times in a row", cycles, grown>>10, series)
}
