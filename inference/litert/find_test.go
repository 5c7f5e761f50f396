package litert_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/litert"
)

// requireLibrary skips a test where there is no library to find.
func requireLibrary(t *testing.T) {
	t.Helper()
	if !litert.IsAvailable(runtime.GOARCH) {
		t.Skipf("there is no LiteRT for %s", runtime.GOARCH)
	}
}

func TestFindWithoutLibrary(t *testing.T) {
	if litert.IsAvailable("arm") {
		t.Error("there is no LiteRT for arm")
	}
	if litert.IsAvailable(runtime.GOARCH) {
		t.Skipf("there is a LiteRT for %s", runtime.GOARCH)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, litert.LibraryFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := litert.Find(folder)
	if !errors.Is(err, edgelens.ErrModel) || !errors.Is(err, inference.ErrNotInstalled) || !strings.Contains(err.Error(), "there is none for "+runtime.GOARCH) {
		t.Errorf("got %v, want an error that names the architecture", err)
	}
}

func TestFind(t *testing.T) {
	requireLibrary(t)
	folder := t.TempDir()
	t.Setenv(litert.RootVariable, folder)
	_, err := litert.Find("")
	for _, want := range []string{"LiteRT is not installed", litert.RootVariable + " is " + folder, "edgelens runtime install litert"} {
		if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), want) {
			t.Errorf("an empty folder: %v, want ErrModel with %q", err, want)
		}
	}
	path := filepath.Join(folder, "libLiteRt.so")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := litert.Find(""); got != path || err != nil {
		t.Errorf("got %q (%v), want %q", got, err, path)
	}
}

func TestFindBesideProgram(t *testing.T) {
	requireLibrary(t)
	t.Setenv(litert.RootVariable, "")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(filepath.Dir(program), "..", "lib", "edgelens")
	if _, err := litert.Find(""); err == nil || !strings.Contains(err.Error(), "LiteRT is not installed") || !strings.Contains(err.Error(), filepath.Clean(folder)) {
		t.Errorf("got %v, want the place where the library belongs", err)
	}
	lib := filepath.Dir(folder)
	if _, err := os.Stat(lib); err == nil {
		t.Skipf("the test's program is beside a folder of others: %s", lib)
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Skipf("the folder beside the test's program cannot be written: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(lib); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(folder, "libLiteRt.so")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := litert.Find(""); err != nil || got != filepath.Clean(path) {
		t.Errorf("got %q (%v), want %q", got, err, path)
	}
}
