package datadir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"edgelens"
	"edgelens/internal/datadir"
)

func TestExplain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign")
	if err := os.Mkdir(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	chowned := os.Chown(foreign, 12345, 12345) == nil
	for name, test := range map[string]struct {
		path    string
		err     error
		want    error
		message string // a regular expression
	}{
		"ours":            {dir, syscall.EACCES, edgelens.ErrStorage, regexp.QuoteMeta(dir) + ` belongs to .*uid \d+.*mode 0\d{3}.*runs as .*uid \d+.*run: chmod u\+rwx `},
		"a file":          {file, fs.ErrPermission, edgelens.ErrStorage, `run: chmod u\+rw '.*/a file'$`},
		"not there":       {filepath.Join(foreign, "x", "y"), syscall.EACCES, edgelens.ErrStorage, regexp.QuoteMeta(foreign) + ` belongs to`},
		"read-only":       {dir, syscall.EROFS, edgelens.ErrStorage, `read-only.*remount`},
		"a file in front": {filepath.Join(file, "x"), syscall.ENOTDIR, edgelens.ErrStorage, `no folder`},
		"full":            {dir, syscall.ENOSPC, edgelens.ErrDiskFull, `free some space`},
		"quota":           {dir, syscall.EDQUOT, edgelens.ErrDiskFull, `free some space`},
		"broken disk":     {dir, syscall.EIO, edgelens.ErrStorage, `cannot be used`},
	} {
		t.Run(name, func(t *testing.T) {
			err := datadir.Explain(test.path, &fs.PathError{Op: "open", Path: test.path, Err: test.err})
			if !errors.Is(err, test.want) || !regexp.MustCompile(test.message).MatchString(err.Error()) {
				t.Errorf("%v\nwant %v that matches %s", err, test.want, test.message)
			}
		})
	}
	if chowned {
		err := datadir.Explain(foreign, syscall.EPERM)
		if !strings.Contains(err.Error(), "belongs to uid 12345") || !strings.Contains(err.Error(), "chown -R ") {
			t.Error(err)
		}
	}
	if datadir.Explain(dir, nil) != nil {
		t.Error("no error is explained")
	}
}

func TestMake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := datadir.Make(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := datadir.Make(file); !errors.Is(err, edgelens.ErrStorage) {
		t.Errorf("a file: %v, want ErrStorage", err)
	}
}

func TestTighten(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"open/inner", "kept"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "outside")
	for _, name := range []string{filepath.Join(dir, "open/inner/file"), filepath.Join(dir, "kept/file"), outside} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "open/link")); err != nil {
		t.Fatal(err)
	}
	if err := datadir.Tighten(dir, "open", "nothing"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"open": 0o700, "open/inner": 0o700, "open/inner/file": 0o600, "kept": 0o755, "kept/file": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", name, info.Mode().Perm(), want, err)
		}
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("a link was followed: %v, %v", info.Mode(), err)
	}
}
