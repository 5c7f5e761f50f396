package atomicfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
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

// What root writes for another user belongs to that user.
func TestRootGivesFilesToOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const uid, gid = 12345, 12346
	service := filepath.Join(t.TempDir(), "service")
	if err := errors.Join(os.Mkdir(service, 0o700), os.Chown(service, uid, gid)); err != nil {
		t.Fatal(err)
	}
	nested := filepath.Join(service, "a", "b")
	if err := atomicfile.MakeFolder(nested, 0o700); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(filepath.Dir(service), "mine")
	for _, path := range []string{filepath.Join(nested, "new"), filepath.Join(service, "new"), mine} {
		if err := atomicfile.Write(path, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shared := filepath.Join(filepath.Dir(service), "shared")
	if err := errors.Join(os.WriteFile(shared, nil, 0o640), os.Chown(shared, 0, gid), atomicfile.Write(shared, []byte("text"), 0o640)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][2]uint32{
		nested: {uid, gid}, filepath.Dir(nested): {uid, gid}, filepath.Join(nested, "new"): {uid, gid}, filepath.Join(service, "new"): {uid, gid},
		mine: {0, 0}, shared: {0, gid},
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if stat := info.Sys().(*syscall.Stat_t); stat.Uid != want[0] || stat.Gid != want[1] {
			t.Errorf("%s belongs to %d:%d, want %v", path, stat.Uid, stat.Gid, want)
		}
	}
}

func TestMakeFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := atomicfile.MakeFolder(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	file := filepath.Join(path, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "below")} {
		if err := atomicfile.MakeFolder(bad, 0o700); err == nil {
			t.Errorf("%s was made", bad)
		}
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
