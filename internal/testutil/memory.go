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
