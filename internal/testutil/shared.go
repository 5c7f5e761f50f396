package testutil

import (
	"os"
	"path/filepath"
	"testing"
)

// SharedFolder returns the folder of the optional images and models (CONTRIBUTING.md), or "" if there is none.
func SharedFolder() string { return os.Getenv("EDGELENS_TEST_SHARED") }

// Shared returns the path of an optional file or folder in SharedFolder, such as Shared(t, "models", "x.tflite"). The
// test is skipped where there is no such folder.
func Shared(t testing.TB, elements ...string) string {
	t.Helper()
	folder := SharedFolder()
	if folder == "" {
		t.Skip("EDGELENS_TEST_SHARED is not set, so there are no shared images and models")
	}
	return filepath.Join(append([]string{folder}, elements...)...)
}
