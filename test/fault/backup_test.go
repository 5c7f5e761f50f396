//go:build fault

package fault

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// command is bin/edgelens with arguments, not started yet.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := filepath.Abs("../../bin/edgelens")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	return cmd
}

// mustRun runs it, and returns its output.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("edgelens %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// filled starts a service with some finished jobs, whose images take some time to copy.
func filled(t *testing.T) *service {
	t.Helper()
	s := newService(t, "--ledger-keep-images")
	s.start()
	c := newClient(t, s)
	c.burst(inFlight, []image{{"red", append(images(64)[0].bytes, make([]byte, 400_000)...)}}, "").Wait()
	c.kept(resumeWithin)
	return s
}

// filesIn lists a folder.
func filesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// untilBackup waits until a backup has begun.
func (s *service) untilBackup() {
	s.t.Helper()
	for end := time.Now().Add(startWithin); ; time.Sleep(200 * time.Microsecond) {
		if _, err := os.Stat(filepath.Join(s.data, "backup.tmp")); err == nil {
			return
		}
		if time.Now().After(end) {
			s.t.Fatal("no backup has begun")
		}
	}
}

// When the service is killed while a backup is taken, there is a whole file or none, the next service serves as before, and
// a backup of it is whole.
func TestKillServiceDuringBackup(t *testing.T) {
	s := filled(t)
	folder := t.TempDir()
	whole := 0
	for range rounds(t) {
		file := filepath.Join(folder, "a.tar")
		cmd := command(t, "backup", "--data-dir", s.data, file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.untilBackup()
		time.Sleep(rand.N(60 * time.Millisecond))
		s.kill()
		err := cmd.Wait()
		switch _, missing := os.Stat(file); {
		case missing == nil:
			whole++
			mustRun(t, "backup", "--verify", file)
			_ = os.Remove(file) // the next round fails otherwise
		case err == nil:
			t.Error("the command succeeded, and there is no file")
		}
		if left := filesIn(t, folder); len(left) != 0 {
			t.Errorf("%v is left", left)
		}
		s.start()
		if left := filesIn(t, s.data); strings.Contains(strings.Join(left, " "), ".tmp") {
			t.Errorf("the data folder has %v", left)
		}
	}
	file := filepath.Join(folder, "last.tar")
	mustRun(t, "backup", "--data-dir", s.data, file)
	mustRun(t, "backup", "--verify", file)
	report("%d kills during a backup, %d of them when it was written: no half file", rounds(t), whole)
	if whole == rounds(t) {
		t.Error("every kill was too late: this proves nothing")
	}
	s.stop()
}

// When the command is killed, the service goes on, and lets go of the images.
func TestKillBackupCommand(t *testing.T) {
	s := filled(t)
	folder := t.TempDir()
	for range rounds(t) {
		cmd := command(t, "backup", "--data-dir", s.data, filepath.Join(folder, "a.tar"))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.untilBackup()
		time.Sleep(rand.N(60 * time.Millisecond))
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		s.until("the copy in the data folder is removed", time.Minute, func() bool {
			_, err := os.Stat(filepath.Join(s.data, "backup.tmp"))
			return errors.Is(err, os.ErrNotExist)
		})
		_ = os.Remove(filepath.Join(folder, "a.tar")) // of a kill that was too late
	}
	c := newClient(t, s)
	c.burst(inFlight, images(64), "cache=false").Wait()
	c.kept(resumeWithin)
	mustRun(t, "backup", "--data-dir", s.data, filepath.Join(folder, "last.tar"))
	s.stop()
}

// When a restore is killed, there is no ledger, or the whole one; another restore makes it whole.
func TestKillRestore(t *testing.T) {
	s := filled(t)
	file := filepath.Join(t.TempDir(), "a.tar")
	mustRun(t, "backup", "--data-dir", s.data, file)
	s.stop()
	for range rounds(t) {
		data := t.TempDir()
		cmd := command(t, "restore", "--data-dir", data, file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(200 * time.Millisecond))
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if _, err := os.Stat(filepath.Join(data, "ledger.db")); err != nil {
			mustRun(t, "restore", "--data-dir", data, "--move-aside", filepath.Join(data, "aside"), file)
		}
		images, err := filepath.Glob(filepath.Join(data, "images", "*", "*"))
		if err != nil || len(images) != inFlight {
			t.Errorf("%d images, want %d: %v", len(images), inFlight, err)
		}
	}
}
