//go:build cgo && linux

package litert

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"errors"
)

// A library without one of the functions is rejected by the function's name.
func TestMissingFunctionIsNamed(t *testing.T) {
	err := load("libm.so.6")
	if err == nil || !strings.Contains(err.Error(), "no function LiteRtCreateEnvironment") {
		t.Errorf("got %v, want the missing function", err)
	}
}

func TestUnusableLibrary(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, LibraryFile)
	if err := load(path); err == nil || !strings.Contains(err.Error(), LibraryFile) {
		t.Errorf("load a missing file: %v, want an error that names it", err)
	}
	if err := os.WriteFile(path, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := load(path); err == nil || !strings.Contains(err.Error(), LibraryFile) {
		t.Errorf("load a text: %v, want an error that names it", err)
	}
	if err := checkLibrary(path); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "not the library of LiteRT "+Version) {
		t.Errorf("check a text: %v, want ErrModel with the version", err)
	}
}

// A status is reported with its name, also if LiteRT prints nothing about it.
func TestFailure(t *testing.T) {
	for want, f := range map[string]failure{
		"LiteRT gives no reason (status 2, out of memory)":     {status: 2},
		"LiteRT gives no reason (status 77, of no known name)": {status: 77},
		"ERROR: it broke (status 3, runtime failure)":          {status: 3, words: "ERROR: it broke"},
	} {
		if got := f.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
