//go:build cgo && linux

package sandbox

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempts are what a helper is asked to do that it must not, each with the result "" for
// success.
var attempts = map[string]func() error{
	"open a file": func() error {
		_, err := os.Open("/etc/passwd")
		return err
	},
	"write a file": func() error { return os.WriteFile("/tmp/of-a-helper", []byte("x"), 0o600) },
	"list a folder": func() error {
		_, err := os.ReadDir("/")
		return err
	},
	"remove a file": func() error { return os.Remove("/tmp/of-a-helper") },
	"open a socket": func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		_ = fd
		return err
	},
	"connect":         func() error { _, err := net.Dial("tcp", "127.0.0.1:1"); return notRefused(err) },
	"start a program": func() error { return exec.Command("/bin/true").Run() },
	"replace itself":  func() error { return syscall.Exec("/bin/true", []string{"true"}, nil) },
	"fork": func() error {
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno == 0 && pid == 0 {
			unix.Exit(0)
		}
		return asError(errno)
	},
	"end its parent": func() error { return unix.Kill(unix.Getppid(), unix.SIGTERM) },
	"trace":          func() error { return unix.PtraceAttach(unix.Getppid()) },
	"read memory of its parent": func() error {
		_, err := unix.ProcessVMReadv(unix.Getppid(), []unix.Iovec{{Base: new(byte), Len: 1}}, []unix.RemoteIovec{{Base: 4096, Len: 1}}, 0)
		return err
	},
	"raise a limit": func() error {
		return unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	},
	"make memory executable": func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
		return err
	},
	"make a file":                  func() error { _, err := unix.MemfdCreate("x", 0); return err },
	"shrink what its parent reads": func() error { return unix.Ftruncate(childOut, 0) },
	"write to what its parent reads": func() error {
		_, err := unix.Write(childOut, []byte("x")) // only by its mapping
		return err
	},
	"a namespace":  func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"io_uring":     func() error { return try(unix.SYS_IO_URING_SETUP) },
	"bpf":          func() error { return try(unix.SYS_BPF) },
	"a key":        func() error { return try(unix.SYS_ADD_KEY) },
	"pidfd_getfd":  func() error { return try(unix.SYS_PIDFD_GETFD) },
	"clone3":       func() error { return try(unix.SYS_CLONE3) },
	"a debugger's": func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) },
}

func try(number uintptr) error {
	var zeros [256]byte
	_, _, errno := unix.RawSyscall(number, uintptr(unsafe.Pointer(&zeros)), uintptr(unsafe.Pointer(&zeros)), 0)
	return asError(errno)
}

func asError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// notRefused is nil if there was an attempt to connect.
func notRefused(err error) error {
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil
	}
	return err
}

// attempt is what a helper does for a packet of a test.
func attempt(what string) string {
	switch what {
	case "allocate":
		block := make([]byte, 256<<20)
		for i := range block {
			block[i] = 1
		}
		return "succeeded"
	case "spin":
		for begin := time.Now(); time.Since(begin) < time.Minute; {
		}
		return "succeeded"
	case "noise":
		os.Stderr.WriteString(strings.Repeat("noise\n", 1<<18))
		return "done"
	}
	if err := attempts[what](); err != nil {
		return err.Error()
	}
	return "succeeded"
}

// ask has a helper do something that only tests do.
func (h *helper) ask(what string) (string, error) {
	if err := h.send([]byte(testPacket + what)); err != nil {
		return "", err
	}
	answer, err := h.receive(time.Now().Add(time.Minute))
	return string(answer), err
}

func take(t *testing.T, f *fixture) *helper {
	t.Helper()
	h, err := f.helpers.(*pools).usual.take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.helpers.(*pools).usual.give(h, false) })
	return h
}

func TestHelperIsConfined(t *testing.T) {
	f := newFixture(t, unchanged)
	h := take(t, f)
	if !h.protection.Seccomp {
		t.Skip("this kernel has no seccomp filters")
	}
	t.Logf("Landlock %d", h.protection.Landlock)
	for name := range attempts {
		key := name
		answer, err := h.ask(key)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if answer == "succeeded" {
			t.Errorf("%s: succeeded", name)
		}
	}
	if f.metric(t, "edgelens_decode_protection seccomp") != 1 {
		t.Error("the metric does not show it")
	}
	for resource, name := range map[int]string{unix.RLIMIT_CORE: "core", unix.RLIMIT_FSIZE: "file size", unix.RLIMIT_NOFILE: "files"} {
		var limit unix.Rlimit
		if err := unix.Prlimit(h.command.Process.Pid, resource, nil, &limit); err != nil || limit.Max != 0 {
			t.Errorf("limit of %s: %+v, %v", name, limit, err)
		}
	}
}

// A helper gets no more memory and no more time of a processor than it was granted, and what it
// writes to standard error ends with its first lines.
func TestHelperIsLimited(t *testing.T) {
	for what, want := range map[string]string{"allocate": "memory", "spin": "timeout"} {
		t.Run(what, func(t *testing.T) {
			f := newFixture(t, unchanged)
			h := take(t, f)
			h.grant(16<<20, 0, 100*time.Millisecond)
			if answer, err := h.ask(what); err == nil {
				t.Fatalf("it answers %q", answer)
			}
			var end *death
			if err := h.death(); !errors.As(err, &end) || end.reason.String() != want {
				t.Errorf("it ended by %v", err)
			}
		})
	}
	h := take(t, newFixture(t, unchanged))
	if answer, err := h.ask("noise"); err != nil || answer != "done" {
		t.Errorf("%q, %v", answer, err)
	}
	_ = h.death() // what it has written is complete then
	if h.words.kept.Len() > 8<<10 {
		t.Errorf("%d bytes are kept", h.words.kept.Len())
	}
	if n := h.messageCount(); n != 1<<18 {
		t.Errorf("%d messages are counted, want %d", n, 1<<18)
	}
}
