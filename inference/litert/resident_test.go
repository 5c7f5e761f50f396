//go:build cgo && linux

package litert_test

import (
	"fmt"
	"os"
	"testing"
)

// residentBytes returns the resident memory of this process (proc(5)).
func residentBytes(t testing.TB) int64 {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}
