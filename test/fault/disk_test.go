//go:build fault

package fault

import (
	"crypto/rand"
	"errors"
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

// ballast is a file that fills a disk.
type ballast struct {
	t    *testing.T
	file *os.File
}

// fill fills a disk except for that many bytes; free removes the file.
func fill(t *testing.T, dir string, but int64) *ballast {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	b := &ballast{t, f}
	b.grow(but)
	return b
}

// grow fills the space that has become free since.
func (b *ballast) grow(but int64) {
	b.t.Helper()
	block := make([]byte, 64<<10)
	_, _ = rand.Read(block) // never fails
	for len(block) > 0 {
		var stat syscall.Statfs_t
		if err := syscall.Fstatfs(int(b.file.Fd()), &stat); err != nil {
			b.t.Fatal(err)
		}
		left := int64(stat.Bavail)*stat.Bsize - but
		if left <= 0 {
			break
		}
		if _, err := b.file.Write(block[:min(int64(len(block)), left)]); err != nil {
			block = block[:len(block)/2]
		}
	}
}

func (b *ballast) free() {
	b.t.Helper()
	if err := errors.Join(os.Remove(b.file.Name()), b.file.Close()); err != nil {
		b.t.Error(err)
	}
}

// With less than min_free_bytes left nothing is accepted, before any 202, and everything else continues.
func TestDiskFullWhileAccepting(t *testing.T) {
	data := smallDisk(t, "size=32m")
	s := newServiceIn(t, data, "--ledger-min-free-bytes", "4194304")
	s.start()
	c := newClient(t, s)
	c.burst(inFlight, busyImages(), "cache=false").Wait()
	for _, left := range []int64{3 << 20, 0} {
		ballast := fill(t, data, left)
		for _, p := range busyImages() {
			id, status, _, err := s.submit(p, "cache=false")
			if id != "" || err != nil || status != http.StatusInsufficientStorage {
				t.Errorf("with %d bytes left a submission got %d, %v", left, status, err)
			}
		}
		if status, _, body, err := s.exchange("POST", "/api/recognize?cache=false", "image/png", images(60)[0].bytes); status != http.StatusOK {
			t.Errorf("with %d bytes left the synchronous route returned %d %s %v", left, status, body, err)
		}
		ballast.free()
	}
	c.burst(inFlight, busyImages(), "cache=false").Wait()
	if all, _ := c.count(); all != 2*inFlight {
		t.Errorf("%d of %d submissions with room got a 202", all, 2*inFlight)
	}
	c.kept(time.Minute)
	c.unchanged()
	report("a full disk: 507 and no 202; with room again %d jobs were done", inFlight)
}

// standstill is how long no job may end to prove that a full disk stopped all work: many times the duration of a job.
const standstill = time.Second

// Accepted jobs are finished when there is room again, however often the disk was full.
func TestDiskFullWhileFinishing(t *testing.T) {
	data := smallDisk(t, "size=32m")
	s := newServiceIn(t, data, "--ledger-min-free-bytes", "1048576")
	s.start()
	c := newClient(t, s)
	for range 4 {
		all, open := c.count()
		c.burst(2*inFlight-open, busyImages(), "cache=false").Wait()
		if now, _ := c.count(); now != all+2*inFlight-open {
			t.Fatalf("%d of %d submissions with room got a 202", now-all, 2*inFlight-open)
		}
		ballast := fill(t, data, 0)
		stuck := c.stands(func() { ballast.grow(0) })
		report("the disk is full: nothing ends, with %d jobs to finish", stuck)
		ballast.free()
		s.until("a job ends now that there is room", startWithin, func() bool { _, open := c.count(); return open < stuck })
	}
	c.kept(time.Minute)
	c.unchanged()
}

// stands waits until no job has ended for a while although some are unfinished, and returns how many. press is called
// repeatedly: each finished job frees the space of its image.
func (c *client) stands(press func()) int {
	c.t.Helper()
	_, stuck := c.count()
	since := time.Now()
	c.s.until("all work has stopped", startWithin, func() bool {
		press()
		_, open := c.count()
		if open == 0 {
			c.t.Fatal("nothing was left to finish on a full disk, so this tests nothing")
		}
		if open != stuck {
			stuck, since = open, time.Now()
		}
		return time.Since(since) > standstill
	})
	return stuck
}
