package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise"
)

func TestFolderIsExclusive(t *testing.T) {
	t.Parallel()
	s := spec(t, "serve")
	first := start(t, s)
	pid := first.PID()
	second := supervise.New(s)
	err := second.Start(within(t, 30*time.Second))
	if !errors.Is(err, edgelens.ErrInUse) || !errors.Is(err, edgelens.ErrConflict) || strings.Contains(err.Error(), "request") || !strings.Contains(err.Error(), s.Dir) {
		t.Errorf("second Start: %v, want ErrConflict with the folder", err)
	}
	if first.Restarts() != 0 || !alive(pid) {
		t.Errorf("the first child was disturbed: restarts %d", first.Restarts())
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, s)
}

// pidFileOf is the pid file of a child as a crashed run would leave it in a folder.
func pidFileOf(t *testing.T, child, dir string) []byte {
	t.Helper()
	recorded, err := os.ReadFile(filepath.Join(child, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	process, _, ok := strings.Cut(string(recorded), " in ")
	var stat syscall.Stat_t
	if err := syscall.Stat(dir, &stat); err != nil || !ok {
		t.Fatalf("%q, %v", recorded, err)
	}
	return fmt.Appendf(nil, "%s in %d:%d\n", process, stat.Dev, stat.Ino)
}

// A folder that was copied while its child ran, with the pid file, does not own that child.
func TestCopiedFolderDoesNotStopChild(t *testing.T) {
	original := spec(t, "serve")
	first := start(t, original)
	pid := first.PID()
	for name, change := range map[string]func(string) string{
		"unchanged":            func(text string) string { return text },
		"of earlier versions":  func(text string) string { before, _, _ := strings.Cut(text, " in "); return before + "\n" },
		"with an empty folder": func(text string) string { before, _, _ := strings.Cut(text, " in "); return before + " in \n" },
		"with a suffix":        func(text string) string { return strings.TrimSpace(text) + "1\n" },
	} {
		t.Run(name, func(t *testing.T) {
			recorded, err := os.ReadFile(filepath.Join(original.Dir, "pid"))
			if err != nil {
				t.Fatal(err)
			}
			s := spec(t, "serve")
			if err := os.WriteFile(filepath.Join(s.Dir, "pid"), []byte(change(string(recorded))), 0o600); err != nil {
				t.Fatal(err)
			}
			start(t, s)
			if !alive(pid) || first.Restarts() != 0 {
				t.Fatalf("the original's child, process %d, was stopped", pid)
			}
		})
	}
}

// TestLeftoverIsStopped gives a folder the child of another one, as a crashed run would leave it.
func TestLeftoverIsStopped(t *testing.T) {
	for name, test := range map[string]struct{ role, program string }{
		"that ends":               {"serve", "server"},
		"that is stubborn":        {"stubborn", "server"},
		"of a misleading program": {"serve", "a) Z 1 (b"}, // /proc/<pid>/stat has it between parentheses
	} {
		t.Run(name, func(t *testing.T) {
			other := spec(t, test.role)
			program := filepath.Join(other.Dir, test.program)
			if err := os.Symlink(other.Path, program); err != nil {
				t.Fatal(err)
			}
			other.Path = program
			other.Backoff.Min, other.Backoff.Max = time.Hour, time.Hour // no restart
			other.StopTimeout = 200 * time.Millisecond
			leftover := start(t, other)
			pid := leftover.PID()
			s := spec(t, "serve")
			s.StopTimeout = 200 * time.Millisecond
			if err := os.WriteFile(filepath.Join(s.Dir, "pid"), pidFileOf(t, other.Dir, s.Dir), 0o600); err != nil {
				t.Fatal(err)
			}
			start(t, s)
			if alive(pid) {
				t.Errorf("the leftover, process %d, was not stopped", pid)
			}
		})
	}
}

func TestForeignProcessIsNotStopped(t *testing.T) {
	foreign := exec.Command("sleep", "1000")
	if err := foreign.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = foreign.Process.Kill(); _ = foreign.Wait() })
	pid := foreign.Process.Pid
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"its id alone":         fmt.Sprintf("%d\n", pid),
		"another start":        fmt.Sprintf("%d 1 %s", pid, boot),
		"another boot":         fmt.Sprintf("%d 1 00000000-0000-0000-0000-000000000000\n", pid),
		"our own process":      fmt.Sprintf("%d 1 %s", os.Getpid(), boot),
		"init":                 fmt.Sprintf("1 0 %s", boot),
		"all":                  fmt.Sprintf("-1 0 %s", boot),
		"our group":            fmt.Sprintf("0 0 %s", boot),
		"none":                 fmt.Sprintf("4194999 0 %s", boot),
		"no number":            "redis\n",
		"nothing":              "",
		"too long":             strings.Repeat("9", 10_000),
		"an impossible number": "99999999999999999999 0 0\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(t, "serve")
			if err := os.WriteFile(filepath.Join(s.Dir, "pid"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			p := start(t, s)
			if !alive(pid) {
				t.Fatal("it was killed")
			}
			if err := p.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestPreparedFilesAreReleased counts, and checks that release runs before another process can get the folder.
func TestPreparedFilesAreReleased(t *testing.T) {
	s := spec(t, "serve")
	prepared, released := 0, 0
	s.Prepare = func() (func(), error) {
		prepared++
		return func() { released++ }, nil
	}
	p := start(t, s)
	kill(t, p.PID())
	until(t, p, "it is up again", func() bool { return p.Up() && p.Restarts() == 1 })
	if prepared != 1 || released != 0 {
		t.Errorf("prepared %d times and released %d times, want 1 and 0", prepared, released)
	}
	if err := p.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if prepared != 1 || released != 1 {
		t.Errorf("prepared %d times and released %d times, want 1 and 1", prepared, released)
	}
}
