package testutil

import (
	"os"
	"testing"
)

// ShortDir is a t.TempDir whose path leaves room for the name of a Unix socket, which has a limit of 107 bytes.
func ShortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
