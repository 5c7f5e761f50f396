//go:build cgo

package ledger_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"edgelens"
	"edgelens/internal/ledger"
)

// breakImages puts a file where the folder of the images was: a folder without
// rights would not stop root.
func breakImages(t *testing.T, dir string) (repair func()) {
	t.Helper()
	images := filepath.Join(dir, "images")
	must(t, os.RemoveAll(images))
	must(t, os.WriteFile(images, nil, 0o600))
	return func() { must(t, os.Remove(images)) }
}

func TestRecordsAreKeptWithoutImages(t *testing.T) {
	for name, atStart := range map[string]bool{"broken at the start": true, "broken later": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			repair := func() {}
			if atStart {
				repair = breakImages(t, dir)
			}
			l, log := openLogged(t, dir, quiet())
			if !atStart {
				repair = breakImages(t, dir)
			}
			r := reception("door", 1)
			job := receive(t, l, r)
			equal(t, "job", job.ID, "")
			deliveries := outbox(t, l, "event", "door")
			if len(deliveries) != 1 || deliveries[0].Result.Outcome != edgelens.OutcomeError || !strings.Contains(deliveries[0].Result.Reason, "could not be stored") ||
				deliveries[0].Result.Error.Code != "storage" {
				t.Fatalf("delivered %+v", deliveries)
			}
			equal(t, "kept without image", l.Records.WithoutImage(), int64(1))
			if _, existing, err := l.Records.Receive(t.Context(), r); !existing || err != nil {
				t.Errorf("the same again: existing %v, %v", existing, err)
			}
			equal(t, "kept without image", l.Records.WithoutImage(), int64(1))

			image := image("x")
			if _, _, err := l.Jobs.Accept(t.Context(), specOf(image), image); !errors.Is(err, edgelens.ErrStorage) {
				t.Errorf("accept: %v, want ErrStorage", err)
			}
			if p := problemOf(l, "images"); p.Unavailable || !strings.Contains(p.Reason, filepath.Join(dir, "images")) {
				t.Errorf("problem %+v", p)
			}
			equal(t, "ledger", problemOf(l, "ledger").Reason, "")

			repair()
			if !l.Probe(t.Context()) {
				t.Errorf("still broken: %+v", l.Problems())
			}
			equal(t, "problems", len(l.Problems()), 0)
			if text := log.String(); strings.Count(text, "images cannot be written") != 1 || strings.Count(text, "images can be written again") != 1 {
				t.Errorf("log:\n%s", text)
			}
			accept(t, l)
			if job := receive(t, l, reception("door", 2)); job.ID == "" {
				t.Error("the next record has no job")
			}
		})
	}
}

// Writes to a database that is no longer in its folder are lost at the next start, so nothing is acknowledged.
func TestRemovedDatabaseIsDetected(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	accept(t, l)
	if !l.Probe(t.Context()) {
		t.Fatalf("broken: %+v", l.Problems())
	}
	file := filepath.Join(dir, "ledger.db")
	must(t, os.Rename(file, file+".moved"))
	if l.Probe(t.Context()) {
		t.Error("it counts as writable")
	}
	image := image("x")
	if _, _, err := l.Jobs.Accept(t.Context(), specOf(image), image); !errors.Is(err, edgelens.ErrStorage) {
		t.Errorf("accept: %v, want ErrStorage", err)
	}
	if _, _, err := l.Records.Receive(t.Context(), reception("door", 1)); !errors.Is(err, edgelens.ErrStorage) {
		t.Errorf("receive: %v, want ErrStorage", err)
	}
	if p := problemOf(l, "ledger"); !p.Unavailable || !strings.Contains(p.Reason, "restart") {
		t.Errorf("problem %+v", p)
	}
	must(t, os.Rename(file+".moved", file))
	if !l.Probe(t.Context()) {
		t.Errorf("still broken: %+v", l.Problems())
	}
	accept(t, l)
}

func TestReadOnlyFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("mounting a file system needs root: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	remount := func(flags uintptr) {
		must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=16m"))
	}
	l := open(t, dir, quiet())
	accept(t, l)
	// A file that is open for writing prevents a read-only remount.
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=16m"); err == nil {
		t.Cleanup(func() { remount(0) })
		if l.Probe(t.Context()) {
			t.Error("it counts as writable")
		}
	}
	closeLedger(t, l)
	remount(syscall.MS_RDONLY)
	if _, err := ledger.Open(t.Context(), dir, quiet(), parts()); !errors.Is(err, edgelens.ErrStorage) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("open: %v, want ErrStorage with the path", err)
	}
	remount(0)
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	// As an earlier version left them.
	must(t, os.Mkdir(dir, 0o750))
	l := open(t, dir, quiet())
	accept(t, l)
	closeLedger(t, l)
	for _, name := range []string{"ledger.db", "ledger.lock"} {
		must(t, os.Chmod(filepath.Join(dir, name), 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "images"), 0o755))
	l = open(t, dir, quiet())
	accept(t, l)
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}))
}
