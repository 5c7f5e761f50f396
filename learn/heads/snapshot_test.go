package heads_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgelens/learn/heads"
)

// A snapshot stays as it is while versions are added and removed, and has no damaged ones.
func TestSnapshot(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	s := heads.Open(filepath.Join(dir, "heads"))
	put(t, s, "bin", 1, true)
	put(t, s, "gate", 1, false)
	put(t, s, "gate", 2, true)
	put(t, s, "gate", 3, false)
	if err := os.WriteFile(filepath.Join(dir, "heads", "gate", "0003.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, damaged, err := s.Snapshot(folder)
	if err != nil || len(damaged) != 1 || !strings.HasPrefix(damaged[0], "version 3 of the head gate: ") {
		t.Fatalf("%q, %v", damaged, err)
	}
	if want := []string{"bin/0001.json", "bin/live.json", "gate/0002.json", "gate/0001.json", "gate/live.json"}; !slices.Equal(files, want) {
		t.Errorf("%q", files)
	}
	put(t, s, "gate", 4, true)
	if err := s.Remove("bin"); err != nil {
		t.Fatal(err)
	}
	taken := heads.Open(folder)
	if err := taken.Check(); err != nil {
		t.Error(err)
	}
	checkLive(t, taken, "gate", 2)
	checkLive(t, taken, "bin", 1)
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "version 3 of the head gate") {
		t.Errorf("the damaged store: %v", err)
	}
}
