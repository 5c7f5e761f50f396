//go:build cgo && linux

package litert_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// privateBytes returns this process's memory that no other shares (proc(5)).
func privateBytes(t testing.TB) int64 {
	t.Helper()
	rollup, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Fatal(err)
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
