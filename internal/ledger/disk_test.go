//go:build cgo

package ledger_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"edgelens"
	"edgelens/internal/ledger"
)

func TestAcceptOnFullDiskStoresNothing(t *testing.T) {
	for name, fill := range map[string]func(*ledger.Ledger){
		"before writing": nil,
		"while writing":  (*ledger.Ledger).FillDisk,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			config := quiet()
			if fill == nil {
				config.MinFreeBytes = math.MaxInt64
			}
			l := open(t, dir, config)
			if fill != nil {
				fill(l)
			}
			_, _, err := l.Jobs.Accept(t.Context(), specOf(image("a")), image("a"))
			if !errors.Is(err, edgelens.ErrDiskFull) {
				t.Errorf("%v, want ErrDiskFull", err)
			}
			equal(t, "files left", len(filesIn(t, dir)), 0)
			equal(t, "events", len(allEvents(t, l)), 0)
		})
	}
}

// mountSmall mounts an empty file system of that size, if permitted.
func mountSmall(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a small file system is needed, and mounting a tmpfs is not allowed here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullFileSystem(t *testing.T) {
	dir := mountSmall(t, 4<<20)
	filler := filepath.Join(dir, "filler")
	must(t, os.WriteFile(filler, make([]byte, 1<<20), 0o600))
	l := open(t, dir, quiet())
	t.Cleanup(func() { closeLedger(t, l) }) // before unmounting

	// Fill the disk with jobs until one is refused; accepted ones must be there.
	var accepted []string
	for i := 0; ; i++ {
		image := append(image(fmt.Sprint(i)), make([]byte, 40_000)...)
		job, _, err := l.Jobs.Accept(t.Context(), specOf(image), image)
		if errors.Is(err, edgelens.ErrDiskFull) {
			break
		}
		must(t, err)
		accepted = append(accepted, job.ID)
	}
	equal(t, "files", len(filesIn(t, dir)), len(accepted))

	// Another program takes the last byte: the write-ahead log cannot grow.
	fillUp(t, filler)
	result := resultOf("cat", 0.5)
	result.Predictions = append(result.Predictions, make([]edgelens.Prediction, 1000)...)
	var full string
	for _, id := range accepted {
		err := l.Jobs.Finish(t.Context(), id, result)
		if errors.Is(err, edgelens.ErrDiskFull) {
			full = id
			break
		}
		must(t, err)
		fillUp(t, filler) // the space freed by the image
	}
	if full == "" {
		t.Fatal("the disk never was full while finishing")
	}
	equal(t, "status of the unfinished job", jobOf(t, l, full).Status, edgelens.JobQueued)
	if !filesIn(t, dir)[full] {
		t.Error("its image is gone")
	}
	must(t, os.Remove(filler))
	must(t, l.Jobs.Finish(t.Context(), full, result))
	equal(t, "status once there is room", jobOf(t, l, full).Status, edgelens.JobSucceeded)

	closeLedger(t, l)
	l = open(t, dir, quiet())
	for _, id := range accepted {
		if job := jobOf(t, l, id); !job.Status.Terminal() && !filesIn(t, dir)[id] {
			t.Errorf("job %s is %s without its image", id, job.Status)
		}
	}
}

// fillUp appends to a file until the disk is full.
func fillUp(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer f.Close()
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
