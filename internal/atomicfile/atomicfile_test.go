package atomicfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"edgelens/internal/atomicfile"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	for _, text := range []string{"one", "a longer one", ""} {
		if err := atomicfile.Write(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(got) != text || info.Mode() != 0o640 {
			t.Errorf("%q, %v, %v, %v", got, info, err, statErr)
		}
	}
	checkAlone(t, path)
}

func TestFailedWriteChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := atomicfile.Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("not that one")
	err := atomicfile.WriteChecked(path, []byte("new"), 0o600, func(temporary string) error {
		if got, err := os.ReadFile(temporary); err != nil || string(got) != "new" || filepath.Ext(temporary) != ".txt" {
			t.Errorf("check was given %s with %q, %v", temporary, got, err)
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("%v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
	checkAlone(t, path)
	if err := atomicfile.Write(filepath.Join(filepath.Dir(path), "missing", "a"), nil, 0o600); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is missing: %v", err)
	}
}

// checkAlone checks that no temporary file is left beside path.
func checkAlone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}
