//go:build fault

package faulttest

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a file system of a few megabytes.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a small disk cannot be mounted here, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all that is left of a disk but so many bytes; free gives it back.
func fill(t *testing.T, dir string, but int64) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	_, _ = rand.Read(block) // never fails
	for len(block) > 0 {
		var stat syscall.Statfs_t
		if err := syscall.Statfs(dir, &stat); err != nil {
			t.Fatal(err)
		}
		left := int64(stat.Bavail)*stat.Bsize - but
		if left <= 0 {
			break
		}
		if _, err := f.Write(block[:min(int64(len(block)), left)]); err != nil {
			block = block[:len(block)/2]
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// With less than min_free_bytes left nothing is accepted, before any 202, and
// all else goes on.
func TestDiskFullWhileAccepting(t *testing.T) {
	data := smallDisk(t, "size=32m")
	s := newServiceIn(t, data, "--ledger-min-free-bytes", "4194304")
	s.start()
	c := newClient(t, s)
	c.burst(inFlight, busyPictures(), "cache=false").Wait()
	for _, left := range []int64{3 << 20, 0} {
		free := fill(t, data, left)
		for _, p := range busyPictures() {
			id, status, _, err := s.submit(p, "cache=false")
			if id != "" || err != nil || status != http.StatusInsufficientStorage {
				t.Errorf("with %d bytes left a submission got %d, %v", left, status, err)
			}
		}
		if status, _, body, err := s.exchange("POST", "/api/recognize?cache=false", "image/png", pictures(60)[0].bytes); status != http.StatusOK {
			t.Errorf("with %d bytes left the synchronous way says %d %s %v", left, status, body, err)
		}
		free()
	}
	c.burst(inFlight, busyPictures(), "cache=false").Wait()
	if all, _ := c.count(); all != 2*inFlight {
		t.Errorf("%d of %d submissions with room got a 202", all, 2*inFlight)
	}
	c.kept(time.Minute)
	c.unchanged()
	say("a full disk: 507 and no 202; with room again %d jobs were done", inFlight)
}

// What was accepted is finished when there is room again, however often there
// was none.
func TestDiskFullWhileFinishing(t *testing.T) {
	data := smallDisk(t, "size=32m")
	s := newServiceIn(t, data, "--ledger-min-free-bytes", "1048576")
	s.start()
	c := newClient(t, s)
	c.burst(inFlight, busyPictures(), "cache=false").Wait()
	for n := range 4 {
		free := fill(t, data, 0)
		time.Sleep(2 * time.Second) // attempts fail meanwhile
		_, open := c.count()
		say("the disk is full with %d jobs to finish", open)
		if n == 0 && open == 0 {
			t.Error("nothing was left to finish on a full disk, so this tests nothing")
		}
		free()
		time.Sleep(150 * time.Millisecond) // some are started, few are done
	}
	c.kept(time.Minute)
	c.unchanged()
}
